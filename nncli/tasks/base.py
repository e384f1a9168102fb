"""What all tasks share: the wiring of optimizer and schedule, and judging a part by sums that add up over ranks."""

import inspect
import sys
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal, Protocol

import torch
from lightning import LightningModule
from torch import Tensor, distributed, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from nncli.errors import NnError
from nncli.optim.groups import Groups

Batch = tuple[Tensor, Tensor]


class Rows(Protocol):
    """What statistics are taken from: a part of a data set."""

    labels: Tensor | None

    def inputs(self) -> Iterable[Tensor]: ...


class Task(LightningModule):
    """A net, what goes before it, and what it is trained for.

    A task gives `training_step`, `predict`, and for judging `sums` (one row of numbers that add up over batches and
    ranks) and `finish` (the sums of a whole part as `metrics`). `results` holds the latest, as "val/loss".
    """

    metrics: ClassVar[tuple[str, ...]]
    mixes: ClassVar[bool] = False  # whether training calls `transform.mix`

    def __init__(
        self,
        net: nn.Module,
        transform: nn.Module,
        loss: nn.Module,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., LRScheduler] | None,
        monitor: str,
        mode: Literal["min", "max"],
        init: Callable[[nn.Module], object] | None = None,
        groups: Groups | None = None,
    ) -> None:
        super().__init__()
        if init is not None:
            init(net)
        self.net, self.transform, self.loss = net, transform, loss
        self.optimizer, self.scheduler = optimizer, scheduler
        self.groups = groups or Groups(decay_vectors=True, layer_decay=1.0, l1=0.0)
        self.groups.freeze(net, shared=True)  # before other processes look at which weights have gradients
        self.monitor, self.mode = monitor, mode
        self.results: dict[str, float] = {}
        self.facts: dict[str, Any] = {}  # what the data learned from its training part; saved with the weights
        self._sums: Tensor | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        # Lightning sets this one some 50 times a step; torch's way of looking for parameters in it costs 3 µs each
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.transform(x))

    def predict(self, x: Tensor) -> Tensor:
        """The answer to raw inputs, in the units a person wants."""
        raise NotImplementedError

    def sums(self, batch: Batch) -> Tensor:
        raise NotImplementedError

    def finish(self, sums: list[float]) -> dict[str, float]:
        raise NotImplementedError

    def fit_statistics(self, rows: Rows) -> None:
        """Take the scale of the inputs, and of a measured target, from the training part."""
        if getattr(self.transform, "mix", None) is not None and not self.mixes:
            raise NnError("transform.mix is for task=classification; set transform.mix=null")
        if fit := getattr(self.transform, "fit", None):
            fit(rows.inputs)
        if fit := getattr(self.net, "fit_inputs", None):  # a first layer that is taken from the standardized inputs
            self.transform.eval()
            fit(lambda: (self.transform(x) for x in rows.inputs()))
            self.transform.train()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["facts"] = self.facts

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        if tell := getattr(self.transform, "set_epoch", None):  # here: a resume skips the start of a begun epoch
            tell(self.current_epoch)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._judge(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._judge(batch)

    def on_validation_epoch_end(self) -> None:
        self._finish("val")

    def on_test_epoch_end(self) -> None:
        self._finish("test")

    def configure_optimizers(self) -> Any:
        optimizer = self.groups.make(self.optimizer, self.net)
        # A fused step would unscale inside, after clipping, so Lightning refuses the two; unscale before instead.
        optimizer._step_supports_amp_scaling = False  # pyright: ignore[reportAttributeAccessIssue]
        if self.scheduler is None:
            return optimizer
        told = {}
        if "total_steps" in inspect.signature(self.scheduler).parameters:
            told["total_steps"] = int(self.trainer.estimated_stepping_batches)
        schedule = self.scheduler(optimizer, **told)
        if isinstance(schedule, ReduceLROnPlateau):  # moved by `_finish`, before the epoch's checkpoint is written
            never = {"interval": "epoch", "frequency": sys.maxsize, "monitor": self.monitor}
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, **never}}
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_start(self) -> None:
        self._freeze()  # a run resumed inside an epoch does not start that epoch

    def on_train_epoch_start(self) -> None:
        self._freeze()

    def _freeze(self) -> None:
        self.groups.freeze(self.net, self.current_epoch, shared=self.trainer.world_size > 1)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        self.groups.drop(self.current_epoch)
        self.groups.pull(self.net)

    @torch.no_grad()
    def _judge(self, batch: Batch) -> None:
        exact = torch.float32 if self.device.type == "mps" else torch.float64
        row = self.sums(batch).to(exact)
        self._sums = row if self._sums is None else self._sums + row

    def _finish(self, part: str) -> None:
        if (sums := self._sums) is None:
            return
        self._sums = None
        if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
            distributed.all_reduce(sums)
        found = {f"{part}/{name}": value for name, value in self.finish(sums.tolist()).items()}
        self.results.update(found)
        self.log_dict(found, sync_dist=True)  # equal on all ranks already; without it Lightning warns
        if part == "val" and self.trainer.state.fn == "fit":
            for config in self.trainer.lr_scheduler_configs:
                if isinstance(config.scheduler, ReduceLROnPlateau):
                    config.scheduler.step(self.results[self.monitor])
