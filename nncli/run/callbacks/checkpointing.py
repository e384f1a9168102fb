"""When a run is saved, evaluated as its best, and stopped: always between two batches, so that resuming is exact.

A checkpoint is written after a batch inside an epoch, or after the evaluation at its end. One that is written because
of a signal during an evaluation records that the evaluation is still due; a resumed run begins with it.
"""

import copy
import math
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule, Trainer

from nncli.errors import Stopped
from nncli.run import random
from nncli.run.best import Best
from nncli.run.callbacks.averaging import AverageWeights
from nncli.run.callbacks.metrics import Recorder
from nncli.run.callbacks.nonfinite import Watch
from nncli.run.callbacks.resuming import Resumer
from nncli.run.callbacks.step import StepCallback
from nncli.run.checkpoint import VERSION, point, save
from nncli.run.learner import Learner
from nncli.run.processes.signals import Signals

STEP = re.compile(r"step-\d{9,}\.ckpt")  # the user may have other files in the folder
SHORTEST = 10.0  # least seconds between two checkpoints at the ends of epochs


class Keeper(StepCallback):
    """Writes last.ckpt and best.ckpt, keeps k earlier ones, stops early and on signals."""

    def __init__(
        self,
        folder: Path,
        recorder: Recorder,
        signals: Signals,
        best: Best,
        say: Callable[[str], None],
        average: AverageWeights,
        watch: Watch,
        identity: dict[str, str],
        resumer: Resumer,
        *,
        minutes: float | None,
        every_n_steps: int | None,
        keep: int,
    ) -> None:
        self.folder, self.recorder, self.signals = folder, recorder, signals
        self.best = best
        self.say = say
        self.average = average
        self.watch = watch
        self.identity = identity
        self.resumer = resumer
        self.seconds = minutes * 60 if minutes else math.inf
        self.every_n_steps = every_n_steps
        self.keep = keep
        self.held: dict[str, Any] | None = None  # the best state since the last write
        self.begun = False  # whether the training loop has started, after the checkpoint was loaded
        self.judged = True  # whether this epoch's validation has run
        self.epochs = 0  # epochs that have begun
        self.saved_step = -1
        self.saved_at = time.monotonic()
        self.step = 0
        self._before_validation: dict[str, Any] | None = None

    # -- training

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.signals.at_once = False
        self.step = trainer.global_step
        self.saved_at = time.monotonic()
        if saved := self.resumer.saved:
            self._go_on(trainer, saved)
        self.begun = True

    def _go_on(self, trainer: Trainer, saved: dict[str, Any]) -> None:
        """Continue where the checkpoint was written: it becomes last.ckpt, and an evaluation still due is done."""
        last = self.folder / "last.ckpt"
        if self.resumer.source not in (None, last) and trainer.is_global_zero:
            point(self.resumer.source, last)
        self._tell_rate(trainer, saved["rates"])
        self.resumer.restore(trainer)
        trainer.should_stop = self.best.given_up
        if saved["due"]:
            self._judge(trainer)
            self._epoch_over(trainer, self.epochs - 1)
            self.judged = False

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.signals.at_once = True
        if self.signals.asked:
            raise Stopped(self.signals.asked)

    def _tell_rate(self, trainer: Trainer, before: list[float]) -> None:
        """Report that a schedule over the whole training has been adapted to a new length."""
        now = _rates(trainer)
        if now != before:
            steps = _learner(trainer).total_steps
            self.say(f"  the schedule now ends at step {steps}: lr was {before[0]:.3g}, now {now[0]:.3g}")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.judged = False
        self.epochs = trainer.current_epoch + 1

    def on_step_end(self, trainer: Trainer, module: LightningModule) -> None:
        self.step = trainer.global_step
        last = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch or self.step == trainer.max_steps
        if last:  # an evaluation follows, and the checkpoint is written with its results
            return
        due = self.every_n_steps and self.step % self.every_n_steps == 0
        late = time.monotonic() - self.saved_at >= self.seconds
        stop, late = self._agree(trainer, self.signals.asked or 0, int(late))
        if stop or due or late:
            self.save(trainer)
        if stop:
            raise Stopped(stop)

    def _agree(self, trainer: Trainer, *wishes: int) -> list[int]:
        """The maximum over ranks, so that all do at this step what any of them asks for. (DDP itself communicates once
        per step.)"""
        if trainer.world_size == 1:
            return list(wishes)
        values = torch.tensor(wishes, device=trainer.strategy.root_device)
        torch.distributed.all_reduce(values, op=torch.distributed.ReduceOp.MAX)
        return [int(value) for value in values.tolist()]

    # -- evaluating

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validation has its own random numbers, so that running it twice changes nothing."""
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

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        random.seed_all(0)  # whatever was drawn before, so that an evaluation after a resume gives the same results

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
        results: dict[str, float] = _learner(trainer).results
        judged = {k: v for k, v in results.items() if k.startswith("val/")} if self.judged else {}
        self.recorder.row(trainer, epoch, judged)
        self.watch.judged(trainer, "val", judged)
        better = bool(judged) and self.best.take(judged, self.step)
        stale, run = time.monotonic() - self.saved_at >= SHORTEST, self.recorder.folder
        wishes = self.signals.asked or 0, int(stale), int(run is not None and run.pruned.exists())
        stop, stale, pruned = self._agree(trainer, *wishes)
        if self.best.given_up or pruned:
            trainer.should_stop = True
        if better:
            self.held = copy.deepcopy(trainer._checkpoint_connector.dump_checkpoint())
        if stop or stale or self._is_end(trainer):
            self.save(trainer)
        if stop:
            raise Stopped(stop)

    def _is_end(self, trainer: Trainer) -> bool:
        epochs = _epochs_trained(trainer)
        return trainer.should_stop or self.step == trainer.max_steps or epochs == trainer.max_epochs

    # -- writing

    def save(self, trainer: Trainer) -> None:
        """Write best.ckpt if there is a better one, then last.ckpt, which therefore never refers to a missing best.

        The best is held in memory until then: an epoch of a small net may take milliseconds, a durable write takes ten.
        """
        if self.recorder.metrics:
            self.recorder.metrics.sync()
        if self.held and trainer.is_global_zero:
            save(self.held, self.folder / "best.ckpt")
        self.held = None
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
        earlier = sorted(path for path in self.folder.iterdir() if STEP.fullmatch(path.name))
        for path in earlier[: max(0, len(earlier) - self.keep)]:
            path.unlink()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        mine = {"random": self._before_validation or random.states(), "means": _learner(trainer).means.state()}
        ranks: list[Any] = [mine]
        if trainer.world_size > 1:
            ranks = [None] * trainer.world_size
            torch.distributed.all_gather_object(ranks, mine)
        checkpoint["nncli"] = {
            "version": VERSION,
            "config": self.identity,
            "position": self._position(trainer),
            "due": self._before_validation is not None,
            "ranks": ranks,
            "step": self.step,
            "best": self.best.state(),
            "rates": _rates(trainer),
        }
        del checkpoint["loops"]  # given by the position

    def _position(self, trainer: Trainer) -> list[int]:
        """(epoch, number of its micro-batches already trained on); the end of an epoch is the start of the next."""
        learner = _learner(trainer)
        if learner.batch == len(learner.batches):
            return [trainer.current_epoch + 1, 0]
        return [trainer.current_epoch, learner.batch]

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint["nncli"]
        self.best.load(saved["best"])
        self.saved_step = saved["step"]
        self.judged = False
        self.epochs = saved["position"][0] + (saved["position"][1] > 0)
        learner = _learner(trainer)
        self.recorder.step = self.step = learner.step = saved["step"]
        learner.batch = saved["position"][1]
        for mine in saved["ranks"][trainer.global_rank :][:1]:  # after a resume on more devices, some ranks have none
            learner.means.load(mine["means"], trainer.strategy.root_device)


def _learner(trainer: Trainer) -> Learner:
    return cast(Learner, trainer.lightning_module)


def _epochs_trained(trainer: Trainer) -> int:
    progress: Any = trainer.fit_loop.epoch_progress.current
    return progress.processed


def _rates(trainer: Trainer) -> list[float]:
    return [float(group["lr"]) for optimizer in trainer.optimizers for group in optimizer.param_groups]
