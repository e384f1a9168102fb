"""The only LightningModule: it runs the turns of a task, several optimizer steps in one call of Lightning's loop.

Lightning's loop costs about a millisecond per call, as much as the step of a small net. Therefore in each call the
Learner takes batches from the loader until some tens of milliseconds have passed. What happens after a step (a row of
metrics, a checkpoint, a stop) happens after exactly that step, however many steps there are in a call.
"""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.overrides.distributed import prepare_for_backward
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import ReduceLROnPlateau

from nncli.contracts import Batch, Turn
from nncli.errors import NnError
from nncli.run.answers import Answers, dummy
from nncli.run.callbacks.step import StepCallback
from nncli.run.moves import Means, Move, Pace, better
from nncli.run.precision import autocast


class Learner(LightningModule):
    """Trains and evaluates a task, with accumulation, precision, clipping, schedules and freezing.

    A step runs the micro-batches of one batch through every turn of the task, and counts once, however many optimizers
    there are. The state is that of the task, so a checkpoint does not depend on this class.
    """

    def __init__(
        self,
        task: Any,
        batches: Any,
        *,
        precision: str,
        accumulate: int,
        grad_clip: float | None,
        grad_clip_by: Literal["norm", "value"],
        max_epochs: int,
        max_steps: int | None,
        steps_per_call: int | Literal["auto"],
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.task = task
        self.batches = batches  # of the training part
        self.precision = precision
        self.accumulate, self.clip, self.clip_by = accumulate, grad_clip, grad_clip_by
        self.max_epochs, self.max_steps = max_epochs, max_steps
        self.pace, self.means = Pace(steps_per_call), Means()
        self.results: dict[str, float] = {}  # the latest, as "val/loss"
        self.step = self.batch = 0  # steps taken; micro-batches of this epoch trained on
        self.moves: list[Move] = []
        self.sharded: list[Any] = []  # nets that are sharded over the ranks (FSDPModule)
        self.scaler = torch.amp.GradScaler("cuda") if precision == "16" else None  # no CPU computes in fp16
        self._sums: Tensor | None = None
        self._told: Sequence[StepCallback] = ()

    @property
    def total_steps(self) -> int:
        """The number of steps of the whole training, unless it is stopped early."""
        in_all = math.ceil(len(self.batches) / self.accumulate) * self.max_epochs if self.max_epochs > 0 else math.inf
        return int(min(in_all, self.max_steps or math.inf))

    # -- the state is the task's

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return self.task.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        return self.task.load_state_dict(state_dict, strict=strict, assign=assign)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["facts"] = self.task.facts
        if self.scaler is not None:
            checkpoint["scaler"] = self.scaler.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.scaler is not None and "scaler" in checkpoint:
            self.scaler.load_state_dict(checkpoint["scaler"])

    # -- before training

    def configure_optimizers(self) -> Any:
        self.moves = [Move(turn, self.total_steps, better(self.task)) for turn in self.task.turns()]
        if self.scaler is not None and any(move.searches for move in self.moves):
            raise NnError("an optimizer that searches along a line cannot be used with trainer.precision=16; set 32")
        return [m.optimizer for m in self.moves], [m.schedule for m in self.moves if m.schedule is not None]

    def on_train_start(self) -> None:
        self._told = [each for each in self.trainer.callbacks if isinstance(each, StepCallback)]  # type: ignore[attr-defined]
        self._begin_epoch()  # Lightning does not start a resumed epoch again

    def on_train_epoch_start(self) -> None:
        self.batch = 0
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._let_go()
        epoch, shared = self.trainer.current_epoch, self.trainer.world_size > 1
        for move in self.moves:
            move.turn.updates.groups.freeze(move.turn.net, epoch, shared=shared)
        self.task.set_epoch(epoch)
        self._learns = [p for move in self.moves for p in move.weights if p.requires_grad]

    # -- training

    def training_step(self, dataloader_iter: Iterator[Any]) -> None:
        """Take the steps of a call, or fewer if the epoch or the run ends."""
        began, before = time.perf_counter(), self.step
        end = before + self._agreed()
        length = len(self.batches)
        while self.step < end and self.batch < length and not self.trainer.should_stop:
            count = min(self.accumulate, length - self.batch)
            micro = [self._here(next(dataloader_iter)[0]) for _ in range(count)]
            self._share_buffers()
            for move in self.moves:
                if (self.step + 1) % move.turn.every == 0:
                    self._take(move, micro)
            if self.scaler is not None:
                self.scaler.update()
            self._step_over(count)
            if self.step == self.max_steps:
                break
        self.pace.took(self.step - before, time.perf_counter() - began)

    def _step_over(self, micro: int) -> None:
        """Count the step, for Lightning too, and run the callbacks."""
        self.step += 1
        self.batch += micro
        loops = self.trainer.fit_loop.epoch_loop
        counter: Any = loops.manual_optimization.optim_step_progress.total
        counter.ready = counter.completed = self.step
        loops.batch_progress.is_last_batch = self.batch == len(self.batches)
        for each in self._told:
            each.on_step_end(self.trainer, self)

    def _agreed(self) -> int:
        """The number of steps of this call, the same on all ranks, since Lightning communicates between calls too."""
        if self.trainer.world_size == 1 or not self.pace.auto:
            return self.pace.steps
        steps = torch.tensor([self.pace.steps], device=self.device)
        distributed.broadcast(steps, 0)
        return int(steps)

    def _here(self, batch: Any) -> Any:
        """A batch on this process's device."""
        if self.device.type == "cpu":
            return batch
        return type(batch)(t.to(self.device, non_blocking=True) for t in batch)

    def _take(self, move: Move, micro: list[Batch]) -> None:
        """One step of one optimizer."""
        if len(self.moves) > 1:
            self._only(move)
        if move.searches:
            self._search(move, micro)
        else:
            self._gradients(move, micro, log=True)
            if self.scaler is not None:
                self.scaler.step(move.optimizer)
            else:
                move.optimizer.step()
        if move.schedule is not None and not move.follows_metric:
            move.schedule.step()
        if len(self.moves) > 1:
            self._only(None)

    def _search(self, move: Move, micro: list[Batch]) -> None:
        """A step that evaluates the loss at several points; the first is at the current weights."""
        places = 0

        def loss() -> float:
            nonlocal places
            places += 1
            return float(self._gradients(move, micro, log=places == 1))

        move.optimizer.step(loss)

    def _only(self, move: Move | None) -> None:
        """Enable gradients for the weights of this turn only, or without a turn for those of all."""
        own = None if move is None else {id(weight) for weight in move.weights}
        for weight in self._learns:
            weight.requires_grad_(own is None or id(weight) in own)

    def _gradients(self, move: Move, micro: list[Batch], *, log: bool) -> Tensor:
        """Compute the gradients of the mean loss of the micro-batches, ready for the optimizer; returns that loss."""
        move.optimizer.zero_grad()
        total: Tensor | None = None
        for place, batch in enumerate(micro, 1):
            with autocast(self.device, self.precision):
                values = move.turn.loss(batch)
            loss = values["loss"]
            for each in self._told:
                each.on_loss(self, move.turn, batch, loss)
            if log:
                self._log(move.turn, values)
            if len(micro) > 1:
                loss = loss / len(micro)
            self._synchronize(loss, last=place == len(micro))
            (loss if self.scaler is None else self.scaler.scale(loss)).backward()
            total = loss.detach() if total is None else total + loss.detach()
        self._before_step(move)
        assert total is not None
        return total

    def _log(self, turn: Turn, values: Any) -> None:
        for name, value in values.items():
            self.means.add(f"{turn.name}_loss" if turn.name and name == "loss" else name, value)

    def _synchronize(self, loss: Tensor, *, last: bool) -> None:
        """Synchronize ranks at the last micro-batch only, when the gradients of all micro-batches are summed."""
        shared = self.trainer.strategy.model
        if isinstance(shared, DistributedDataParallel):
            shared.require_backward_grad_sync = last
            if last:
                prepare_for_backward(shared, loss)

    def _share_buffers(self) -> None:
        """Copy the first rank's running statistics to all ranks, each of which has seen other samples."""
        if self.trainer.world_size == 1 or (ranks := distributed.group.WORLD) is None:
            return
        if buffers := [b for name, b in self.task.named_buffers() if not name.startswith("transform.")]:
            distributed._broadcast_coalesced(ranks, buffers, 2**28, 0)  # pyright: ignore[reportPrivateImportUsage]

    def _let_go(self) -> None:
        """Reshard nets whose weights are still gathered after a forward without a backward."""
        for net in self.sharded:
            net.reshard()

    def _before_step(self, move: Move) -> None:
        self._let_go()
        if self.scaler is not None:
            self.scaler.unscale_(move.optimizer)
        groups = move.turn.updates.groups
        groups.drop(self.trainer.current_epoch)
        groups.pull(move.turn.net)
        if self.clip is not None and self.clip_by == "norm":
            nn.utils.clip_grad_norm_(move.weights, self.clip)
        elif self.clip is not None:
            nn.utils.clip_grad_value_(move.weights, self.clip)

    # -- evaluating

    def on_validation_start(self) -> None:
        self._share_buffers()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch)

    def on_test_start(self) -> None:
        loaders: Any = self.trainer.test_dataloaders
        self._share_buffers()
        self._answers = Answers(sum(high - low for low, high in loaders.bounds))

    @torch.no_grad()
    def test_step(self, batch: Batch, batch_idx: int) -> None:
        empty = len(batch[0]) == 0  # a rank's share of a short last batch
        if empty and not self.sharded:
            return
        columns = self.task.answers(dummy(batch) if empty else batch)  # in float32, as evaluation later does
        if not empty:
            self._answers.add(*columns)

    def on_test_epoch_end(self) -> None:
        metrics, _ = self.task.evaluate(*self._answers.whole())
        self.results |= {f"test/{name}": value for name, value in metrics.items()}
        del self._answers

    def on_validation_epoch_end(self) -> None:
        self._finish("val")
        if self.trainer.state.fn == "fit":
            for move in self.moves:
                if isinstance(move.schedule, ReduceLROnPlateau):
                    move.schedule.step(self.results[self.task.monitor])

    @torch.no_grad()
    def _evaluate(self, batch: Batch) -> None:
        exact = torch.float32 if self.device.type == "mps" else torch.float64
        with autocast(self.device, self.precision):
            if self.sharded and len(batch[0]) == 0:
                row = self.task.metric_sums(dummy(batch)).to(exact).zero_()
            else:
                row = self.task.metric_sums(batch).to(exact)
        self._sums = row if self._sums is None else self._sums + row

    def _finish(self, part: str) -> None:
        if (sums := self._sums) is None:
            return
        self._sums = None
        if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
            distributed.all_reduce(sums)
        self.results |= {f"{part}/{name}": value for name, value in self.task.metrics_from(sums.tolist()).items()}
