"""When a run is saved, judged best, and stopped: always at a batch boundary, always so that resume is exact.

Lightning skips the rest of an epoch's validation when it resumes from a checkpoint written at the epoch's last
batch or during validation. So inside an epoch a checkpoint is written after an optimizer step that is not the
last, otherwise at the epoch's end. One written while validating says that the validation is still due.
"""

import copy
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt
from lightning.pytorch import Callback, LightningModule, Trainer

from nncli.errors import Stopped
from nncli.run import random
from nncli.run.average import AverageWeights
from nncli.run.best import Best
from nncli.run.checkpoint import load, point, save
from nncli.run.record import Recorder
from nncli.run.resumer import Resumer
from nncli.run.signals import Signals

SHORTEST = 10.0  # seconds between two checkpoints of the same best


def checkpoint_settings(
    *,
    minutes: Annotated[float, Gt(0)] | None,
    every_n_steps: Annotated[int, Ge(1)] | None,
    keep: Annotated[int, Ge(0)],
) -> dict[str, Any]:
    """The `checkpoint` section: what a person may set of the keeper."""
    return {"minutes": minutes, "every_n_steps": every_n_steps, "keep": keep}


class Keeper(Callback):
    """Writes last.ckpt and best.ckpt, keeps k earlier ones, stops early and on signals."""

    def __init__(
        self,
        folder: Path,
        recorder: Recorder,
        signals: Signals,
        best: Best,
        say: Callable[[str], None],
        average: AverageWeights,
        *,
        minutes: float | None,
        every_n_steps: int | None,
        keep: int,
    ) -> None:
        self.folder, self.recorder, self.signals = folder, recorder, signals
        self.best = best
        self.say = say
        self.average = average
        self.resumer = Resumer()
        self.seconds = minutes * 60 if minutes else math.inf
        self.every_n_steps = every_n_steps
        self.keep = keep
        self.held: dict[str, Any] | None = None  # the best state since the last write
        self.judged = True  # whether this epoch's validation has run
        self.saved_step = -1
        self.saved_at = time.monotonic()
        self.step = 0
        self._before_validation: dict[str, Any] | None = None

    # -- training

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.signals.at_once = False
        self.step = trainer.global_step
        self.saved_at = time.monotonic()
        saved = self.resumer.saved
        if saved:
            self._tell_rate(trainer, saved["rates"])
        if saved and saved["validation_due"]:
            self.resumer.restore(trainer)
            self._judge(trainer)
            saved["validation_due"] = False
            self._epoch_over(trainer, saved["position"][0] - 1)

    @property
    def validation_due(self) -> bool:
        """Whether the last epoch was stopped in its validation, so that Lightning had nothing left to train."""
        return self.resumer.saved is not None and self.resumer.saved["validation_due"]

    def judged_late(self, trainer: Trainer, results: dict[str, float]) -> None:
        """Take in the judgement of an epoch that was stopped in its validation, after training has ended."""
        judged = {k: v for k, v in results.items() if k.startswith("val/")}
        self.recorder.row(trainer, trainer.current_epoch - 1, judged)
        if self.best.take(judged, self.step) and trainer.is_global_zero:
            point(self.folder / "last.ckpt", self.folder / "best.ckpt")

    def recall(self) -> None:
        """Take up a best of this very step: what is judged after max_steps cut an epoch short is not in last.ckpt."""
        best = self.folder / "best.ckpt"
        if best.is_file() and (saved := load(best)["nncli"]["best"])["step"] == self.step:
            self.best.load(saved)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.signals.at_once = True
        if self.signals.asked:
            raise Stopped(self.signals.asked)

    def _tell_rate(self, trainer: Trainer, before: list[float]) -> None:
        """A schedule that counts to the end of training has taken its place in a new length: say so."""
        now = _rates(trainer)
        if now != before:
            steps = trainer.estimated_stepping_batches
            self.say(f"  the schedule now ends at step {steps}: lr {before[0]:.3g} before, {now[0]:.3g} from here on")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.judged = False

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.resumer.on_train_batch_start(trainer, pl_module, batch, batch_idx)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        stepped, self.step = trainer.global_step != self.step, trainer.global_step
        if not stepped or trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            return
        due = self.every_n_steps and self.step % self.every_n_steps == 0
        late = time.monotonic() - self.saved_at >= self.seconds
        stop, late = self._agree(trainer, self.signals.asked or 0, int(late))
        if stop or due or late or self.step == trainer.max_steps:
            self.save(trainer)
        if stop:
            raise Stopped(stop)

    def _agree(self, trainer: Trainer, *wishes: int) -> list[int]:
        """What any rank wishes, all do at this step. (Lightning itself talks once a step under DDP too.)"""
        if trainer.world_size == 1:
            return list(wishes)
        wanted = torch.tensor(wishes, device=trainer.strategy.root_device)
        torch.distributed.all_reduce(wanted, op=torch.distributed.ReduceOp.MAX)
        return [int(w) for w in wanted.tolist()]

    # -- judging

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validation draws from its own random numbers, so that running it twice changes nothing."""
        self._before_validation = random.states()
        random.seed_all(0)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """A stop need not wait for a long validation, unless ranks would have to agree on it."""
        if self.signals.asked and trainer.world_size == 1 and trainer.state.fn == "fit":
            self.average.on_validation_end(trainer, pl_module)  # swaps the raw weights back in
            self.save(trainer)
            raise Stopped(self.signals.asked)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self._before_validation is not None
        random.restore(self._before_validation)
        self._before_validation = None
        self.judged = True

    def _judge(self, trainer: Trainer) -> None:
        """Run the validation loop now, as Lightning does at the end of an epoch."""
        loop = trainer.fit_loop.epoch_loop.val_loop
        trainer.validating = True
        with torch.no_grad():
            loop.run()
        trainer.training = True

    # -- the end of an epoch

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.judged and trainer.enable_validation and self._is_end(trainer):
            self._judge(trainer)
        self._epoch_over(trainer, trainer.current_epoch)

    def _epoch_over(self, trainer: Trainer, epoch: int) -> None:
        results: dict[str, float] = getattr(trainer.lightning_module, "results", {})
        judged = {k: v for k, v in results.items() if k.startswith("val/")} if self.judged else {}
        self.recorder.row(trainer, epoch, judged)
        better = bool(judged) and self.best.take(judged, self.step)
        if self.best.given_up:
            trainer.should_stop = True
        stop, stale = self._agree(trainer, self.signals.asked or 0, int(time.monotonic() - self.saved_at >= SHORTEST))
        cut_short = not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch  # by max_steps: last.ckpt is written
        if better:
            self.held = copy.deepcopy(trainer._checkpoint_connector.dump_checkpoint())
        if stop or stale or self._is_end(trainer):
            self.save(trainer, last=not cut_short)
        if stop:
            raise Stopped(stop)

    def _is_end(self, trainer: Trainer) -> bool:
        epochs = _epochs_trained(trainer)
        return trainer.should_stop or self.step == trainer.max_steps or epochs == trainer.max_epochs

    # -- writing

    def save(self, trainer: Trainer, *, last: bool = True) -> None:
        """Write best.ckpt if there is a better one, then last.ckpt, which so never remembers a best that is not there.

        The best is held in memory until then: epochs of a small net may take milliseconds, a durable write takes ten.
        """
        if self.recorder.metrics:
            self.recorder.metrics.sync()
        if self.held and trainer.is_global_zero:
            save(self.held, self.folder / "best.ckpt")
        self.held = None
        if not last:
            return
        new = self.folder / f".new-{self.step:09d}.ckpt"
        trainer.save_checkpoint(new)
        if trainer.is_global_zero:
            self._replace_last(new)
        self.saved_step, self.saved_at = self.step, time.monotonic()

    def _replace_last(self, new: Path) -> None:
        last = self.folder / "last.ckpt"
        if self.keep and last.is_file() and self.saved_step not in (-1, self.step):
            os.replace(last, self.folder / f"step-{self.saved_step:09d}.ckpt")
        os.replace(new, last)
        earlier = sorted(self.folder.glob("step-*.ckpt"))
        for path in earlier[: max(0, len(earlier) - self.keep)]:
            path.unlink()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        loss = self.recorder.loss_sum
        mine = {
            "random": self._before_validation or random.states(),
            "loss_sum": 0.0 if loss is None else loss.item(),
        }
        ranks: list[Any] = [mine]
        if trainer.world_size > 1:
            ranks = [None] * trainer.world_size
            torch.distributed.all_gather_object(ranks, mine)
        checkpoint["nncli"] = {
            "version": 1,
            "position": self._position(trainer),
            "validation_due": self._before_validation is not None,
            "ranks": ranks,
            "step": self.step,
            "best": self.best.state(),
            "rates": _rates(trainer),
        }
        if self._before_validation is not None:
            checkpoint["loops"] = _as_if_epoch_over(checkpoint["loops"])

    def _position(self, trainer: Trainer) -> list[int]:
        """(epoch, micro-batches of it already trained on); an epoch that is over is the next one's start."""
        batches = trainer.fit_loop.epoch_loop.batch_progress
        progress: Any = batches.current
        if batches.is_last_batch:
            return [trainer.current_epoch + 1, 0]
        return [trainer.current_epoch, progress.processed]

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self.resumer.on_load_checkpoint(trainer, pl_module, checkpoint)
        saved = checkpoint["nncli"]
        self.best.load(saved["best"])
        self.saved_step = saved["step"]
        self.judged = False
        self.recorder.step = self.step = saved["step"]
        self.recorder.loss_sum = torch.tensor(saved["ranks"][trainer.global_rank]["loss_sum"], dtype=torch.float32)


def _epochs_trained(trainer: Trainer) -> int:
    progress: Any = trainer.fit_loop.epoch_progress.current
    return progress.processed


def _rates(trainer: Trainer) -> list[float]:
    return [float(group["lr"]) for optimizer in trainer.optimizers for group in optimizer.param_groups]


def _as_if_epoch_over(loops: dict[str, Any]) -> dict[str, Any]:
    """Lightning's counters as they stand when the epoch's validation is done, for a stop in the middle of it."""
    loops = copy.deepcopy(loops)
    for part in ("total", "current"):
        loops["fit_loop"]["epoch_progress"][part]["processed"] += 1
    return loops
