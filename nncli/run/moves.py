"""Parts of the Learner: each turn's optimizer and schedule, the steps per call, the means that are logged."""

import math
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from nncli.contracts import Direction, Trainable, Turn
from nncli.errors import NnError

CALL = 0.03  # seconds that a call should take: Lightning's overhead is then a few percent
MOST = 10_000  # steps in a call


def better(task: Trainable) -> Direction:
    """Whether lower or higher is better for the metric that the task monitors."""
    part, _, name = str(task.monitor).partition("/")
    if part != "val" or name not in task.metrics:
        names = ", ".join(f"val/{metric}" for metric in task.metrics)
        raise NnError(
            f"task.monitor is {task.monitor}, which {type(task).__name__} does not compute; it computes {names}"
        )
    return task.metrics[name]


class Move:
    """A turn in training: its optimizer, its schedule, and their weights."""

    def __init__(self, turn: Turn, total_steps: int, mode: Direction) -> None:
        self.turn = turn
        self.optimizer: Optimizer = turn.updates.make(turn.net)
        steps = max(1, math.ceil(total_steps / turn.every))
        self.schedule: LRScheduler | None = turn.updates.schedule(self.optimizer, total_steps=steps, mode=mode)
        self.weights = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.searches = isinstance(self.optimizer, torch.optim.LBFGS)  # it evaluates the loss several times per step
        self.follows_metric = isinstance(self.schedule, ReduceLROnPlateau)


class Pace:
    """The number of steps of the next call: fixed, or as many as fit into CALL seconds at the speed of the last one."""

    def __init__(self, asked: int | Literal["auto"]) -> None:
        self.auto = asked == "auto"
        self.steps = 1 if asked == "auto" else asked

    def took(self, steps: int, seconds: float) -> None:
        if self.auto and steps:
            self.steps = max(1, min(MOST, round(CALL * steps / max(seconds, 1e-6))))


class Means:
    """The sums and counts of the values that are logged in training, kept on the device."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, name: str, value: Tensor) -> None:
        value = value.detach()
        if name in self.sums:
            self.sums[name] += value
            self.counts[name] += 1
        else:
            self.sums[name], self.counts[name] = value.float().clone(), 1

    def take(self, strategy: Any) -> dict[str, float]:
        """The mean of each since the last call, over all ranks; resets the sums."""
        names = sorted(self.sums)
        if not names:
            return {}
        values = torch.stack([self.sums[name] / self.counts[name] for name in names])
        means = strategy.reduce(values, reduce_op="mean").tolist()
        self.sums, self.counts = {}, {}
        return dict(zip(names, means, strict=True))

    def so_far(self) -> dict[str, float]:
        """The current mean of each, on this rank."""
        return {name: float(value) / self.counts[name] for name, value in self.sums.items()}

    def state(self) -> dict[str, list[float]]:
        return {name: [float(value), self.counts[name]] for name, value in self.sums.items()}

    def load(self, saved: dict[str, list[float]], device: torch.device) -> None:
        self.sums = {name: torch.tensor(value, device=device) for name, (value, _) in saved.items()}
        self.counts = {name: int(count) for name, (_, count) in saved.items()}
