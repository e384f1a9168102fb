"""The search for a learning rate: the loss while the rate rises from step to step (the range test, Smith 2017)."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from PIL import Image

from nncli.config.compose import Config
from nncli.data.files.progress import shown
from nncli.errors import NnError
from nncli.insight.pictures import plot
from nncli.insight.rates import SIZE, chart
from nncli.run.assemble import Parts, section
from nncli.run.callbacks.step import StepCallback
from nncli.run.learner import Learner
from nncli.tune.trial import trial

ROSE = "the loss diverged"
DIVERGED = 4.0  # times the lowest loss
WIDTH = 0.03  # of the smoothing, as a fraction of the steps
MEMORY = 0.9  # of the running mean by which divergence is detected
DOWN = 0.9  # fraction of the whole fall; the minimum itself is flat, so its position is unreliable
BACK = 0.5  # of the rate at that point; both worked on seven recipes with three seeds and 50 to 300 steps
SURE = 4.0  # times the noise that smoothing leaves: a smaller fall does not count
TALLEST = 1.3  # times the first loss is the highest that is drawn


@dataclass(frozen=True)
class Curve:
    """The loss at each rate, up to where the test ended."""

    rates: np.ndarray
    losses: np.ndarray
    ended: str  # why it ended early, or ""
    asked: int  # steps of the complete test

    @property
    def width(self) -> float:
        """The standard deviation of the Gaussian that smooths the losses, in steps."""
        return WIDTH * self.asked

    @property
    def smooth(self) -> np.ndarray:
        """Each loss averaged with its neighbours on both sides, so that nothing is shifted to higher rates."""
        best = running(self.losses).min()
        losses = np.minimum(
            self.losses, best + (DIVERGED - 1) * abs(best)
        )  # a single outlier must not outweigh the rest
        at = np.arange(len(losses))
        weights = np.exp(-0.5 * ((at[:, None] - at[None]) / self.width) ** 2)
        return weights @ losses / weights.sum(axis=1)


def running(losses: np.ndarray | Sequence[float]) -> np.ndarray:
    """The exponential moving average of the losses, with bias correction."""
    mean, means = 0.0, []
    for count, loss in enumerate(losses, 1):
        mean = MEMORY * mean + (1 - MEMORY) * loss
        means.append(mean / (1 - MEMORY**count))
    return np.array(means)


def diverged(means: np.ndarray) -> bool:
    """Whether the last mean is over four times the lowest, and, for losses near 0, over half of the first."""
    lowest = means.min()
    return bool(means[-1] - lowest > (DIVERGED - 1) * abs(lowest) and means[-1] > 0.5 * means[0])


def suggest(curve: Curve) -> float:
    """Half of the rate at which the smoothed loss has completed 90% of its fall."""
    if len(curve.losses) < 3:
        what = "only rises" if curve.ended == ROSE else "is not a finite number"
        raise NnError(f"the loss {what} {_from_the_start(curve)}")
    smooth = curve.smooth
    lowest = int(smooth.argmin())
    fall = smooth[0] - smooth[lowest]
    before = slice(0, lowest + 1 if curve.ended else None)  # divergence is not noise
    noise = float(np.std(curve.losses[before] - smooth[before])) / math.sqrt(2 * math.sqrt(math.pi) * curve.width)
    if fall <= SURE * noise or fall <= 1e-6 * abs(smooth[0]):
        if curve.ended:
            raise NnError(f"the loss only rises {_from_the_start(curve)}")
        raise NnError(
            f"the loss stays at {smooth[0]:.3g} at every rate from {curve.rates[0]:.2g} to {curve.rates[-1]:.2g}: "
            "this net does not learn in so few steps; increase --high or --steps, or check model, init and loss"
        )
    at = int(np.argmax(smooth[: lowest + 1] <= smooth[0] - DOWN * fall))
    return float(f"{BACK * curve.rates[at]:.2g}")


def _from_the_start(curve: Curve) -> str:
    low = curve.rates[0]
    return (
        f"from the lowest rate {low:.2g} on, where the test begins; set --low={low / 1000:.1g}, "
        "or check the initialization of the net (init) and the scale of its inputs (transform)"
    )


class Rising(StepCallback):
    """Sets the rate of each optimizer step and records its loss. Groups of weights keep the ratio of their rates."""

    def __init__(self, lr: float, low: float, high: float, steps: int, loss: str = "loss") -> None:
        self.rates = np.geomspace(low, high, steps)
        self.loss = loss  # the name under which it is logged
        self.lr, self.losses, self.ended = lr, list[float](), ""
        self.bar = cast(Generator[None], shown(((1, None) for _ in range(steps)), steps, "  learning rates"))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.groups = trainer.optimizers[0].param_groups
        self.shares = [group["lr"] / self.lr for group in self.groups]
        self._set()

    def _set(self) -> None:
        """The rate of the next step."""
        for group, share in zip(self.groups, self.shares, strict=True):
            group["lr"] = float(self.rates[len(self.losses)] * share)

    def on_step_end(self, trainer: Trainer, module: LightningModule) -> None:
        self.losses.append(cast(Learner, module).means.take(trainer.strategy)[self.loss])
        next(self.bar, None)
        means = running(self.losses)
        if not math.isfinite(self.losses[-1]):
            self.losses.pop()
            self.ended = "the loss is no longer a finite number"
        elif diverged(means):
            self.ended = ROSE
        trainer.should_stop = bool(self.ended)
        if not self.ended and len(self.losses) < len(self.rates):
            self._set()

    def curve(self) -> Curve:
        count = len(self.losses)
        return Curve(self.rates[:count], np.array(self.losses), self.ended, len(self.rates))


def range_test(config: Config, parts: Parts, low: float, high: float, steps: int) -> Curve:
    """Train from the config's seed with a rate that rises by the same factor at every step, without its schedule."""
    turns = parts.task.turns()
    if len(turns) > 1:
        names = ", ".join(turn.name for turn in turns)
        raise NnError(
            f"{type(parts.task).__name__} has {len(turns)} optimizers ({names}), and the test supports only one; "
            "compare runs with other values of optimizer.lr instead"
        )
    parts.task.updates.scheduler = None
    name = turns[0].name
    watch = Rising(float(config.tree.optimizer.lr), low, high, steps, f"{name}_loss" if name else "loss")
    try:
        trial(config, parts, steps, watch)
    except torch.OutOfMemoryError as error:
        raise NnError("out of memory; nn tune batch finds the batch size that fits") from error
    finally:
        watch.bar.close()
    return watch.curve()


def finds_rate(config: Config) -> bool:
    """Whether there is a rate to find: L-BFGS determines its own step lengths."""
    return not str(section(config, "optimizer").get("_target_", "")).endswith(".LBFGS")


def tuned(config: Config) -> dict[str, float]:
    """The rates that rise together: optimizer.lr, and others such as Muon's adam_lr."""
    values = section(config, "optimizer")
    if not finds_rate(config):
        raise NnError("optimizer=lbfgs determines the length of each step itself, so there is no rate to find")
    if not isinstance(values.get("lr"), int | float) or values["lr"] <= 0:
        raise NnError(f"optimizer.lr is {values.get('lr')}; the test needs a number above 0")
    others = {key: value for key, value in values.items() if key.endswith("_lr") and isinstance(value, int | float)}
    return {f"optimizer.{key}": float(value) for key, value in ({"lr": values["lr"]} | others).items()}


def drawn(curve: Curve, rate: float, width: int) -> str:
    """The smoothed loss over the rate, on a logarithmic axis, and the suggested rate."""
    smooth = curve.smooth
    shown = np.minimum(smooth, TALLEST * smooth[0]) if smooth[0] > 0 else smooth
    # a column shows one or several steps; all have the same width
    columns = np.interp(np.linspace(0, len(shown) - 1, max(width, len(shown))), np.arange(len(shown)), shown)
    low, high = curve.rates[0], curve.rates[-1]
    at = round((width - 1) * math.log(rate / low) / math.log(high / low))
    mark = f"▲ {rate:.2g}" if at < width - 12 else f"{rate:.2g} ▲"
    start = at if at < width - 12 else at - len(mark) + 1
    axis = f"{low:.2g}" + f"{high:.2g}".rjust(width - len(f"{low:.2g}"))
    return "\n".join(
        [*chart(columns.tolist(), width).splitlines()[:-1], f"{'':>11}{' ' * start}{mark}", f"{'rate':>9}  {axis}"]
    )


def picture(curve: Curve, rate: float) -> Image.Image:
    """The same as a line, whose colour changes at the suggested rate."""
    smooth = np.minimum(curve.smooth, TALLEST * curve.smooth[0]) if curve.smooth[0] > 0 else curve.smooth
    wide = max(SIZE[0], len(smooth))
    line = np.interp(np.linspace(0, len(smooth) - 1, wide), np.arange(len(smooth)), smooth)
    low, high = curve.rates[0], curve.rates[-1]
    at = round(wide * math.log(rate / low) / math.log(high / low))
    name = f"loss over the rate from {low:.2g} to {high:.2g}, suggested {rate:.2g} where the colour changes"
    return plot(line[:, None], [name], [at, wide], SIZE)
