"""Averaged weights, evaluated and saved instead of the trained ones: moving, over epochs, or of the optimizer."""

from typing import Any, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn

from nncli.contracts import Averaging
from nncli.errors import NnError
from nncli.run.callbacks.step import StepCallback


def averaged(net: nn.Module) -> dict[str, Tensor]:
    """The tensors that can be averaged: parameters and floating-point buffers. One may have several names."""
    return {name: t for name, t in net.state_dict(keep_vars=True).items() if t.is_floating_point()}


def averaging(settings: dict[str, Any]) -> "AverageWeights":
    """The average set in the `trainer` section, or else that of the optimizer, if it keeps one."""
    if settings["ema"] is not None:
        return MovingAverage(settings["ema"])
    swa = settings.get("swa")  # absent from the configs of older runs
    return OptimizerAverage() if swa is None else EpochAverage(swa)


class AverageWeights(StepCallback):
    """Swaps the average in while the validation part is evaluated, and stores it in checkpoints as `average`."""

    def __init__(self) -> None:
        self.live: dict[str, Tensor] = {}  # the net's own tensors
        self.shadow: dict[Tensor, Tensor] = {}  # the average of each
        self._loaded: dict[str, Tensor] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if any(isinstance(optimizer, Averaging) for optimizer in trainer.optimizers):
            raise NnError("the optimizer averages the weights itself: set regularization.ema and .swa to null")
        self.live = averaged(pl_module)
        self.shadow = {t: self._loaded.get(name, t.detach()).to(t, copy=True) for name, t in self.live.items()}

    def judged(self) -> dict[Tensor, Tensor]:
        """The average of each tensor of the net that has one so far."""
        return self.shadow

    @torch.no_grad()
    def _mix(self, weight: float) -> None:
        """Move the average towards the current weights by this weight."""
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]  # one call for all tensors
            list(self.shadow.values()), list(self.shadow), weight
        )

    @torch.no_grad()
    def _swap(self) -> None:
        for live, average in self.judged().items():
            mine = average.clone()
            average.copy_(live)
            live.copy_(mine)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._swap()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._swap()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        averages = self.judged()
        checkpoint["average"] = {name: averages[t].clone() for name, t in self.live.items() if t in averages}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._loaded = checkpoint.get("average") or checkpoint.get("ema", {})  # ema: in older runs


class MovingAverage(AverageWeights):
    """An exponential moving average: each optimizer step multiplies it by `decay`, and adds the rest of the weights."""

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self.step = trainer.global_step

    def on_step_end(self, trainer: Trainer, module: LightningModule) -> None:
        self.step = trainer.global_step
        # the first steps weigh more, so that the average forgets the random initialization
        self._mix(1 - min(self.decay, (1 + self.step) / (10 + self.step)))


class EpochAverage(AverageWeights):
    """The mean of the weights at the end of each epoch that ends after `share` of the training.

    "Averaging Weights Leads to Wider Optima and Better Generalization" (Izmailov et al. 2018). Until then the trained
    weights are evaluated. The statistics of batch norms are averaged like the weights.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.count = 0  # epochs in the average

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        if not self._due(trainer, trainer.current_epoch):
            self.count = 0  # training was extended: the average began too early

    def judged(self) -> dict[Tensor, Tensor]:
        return self.shadow if self.count else {}

    def on_step_end(self, trainer: Trainer, module: LightningModule) -> None:
        whole = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        over = whole or trainer.global_step == trainer.max_steps
        if over and self._due(trainer, trainer.current_epoch + whole):
            self.count += 1
            self._mix(1 / self.count)

    def _due(self, trainer: Trainer, epochs: int) -> bool:
        assert trainer.max_epochs is not None
        steps = trainer.global_step / trainer.max_steps if trainer.max_steps > 0 else 0.0
        return max(epochs / trainer.max_epochs, steps) >= self.share

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        checkpoint["averaged"] = self.count

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(trainer, pl_module, checkpoint)
        self.count = checkpoint.get("averaged", 0)
        if type(self.count) is not int or self.count < 0:
            raise ValueError(f"averaged must be a number of epochs, not {self.count!s:.20}")


class OptimizerAverage(AverageWeights):
    """The average kept by an optimizer with `averages()`, or none."""

    def __init__(self) -> None:
        super().__init__()
        self.optimizers: list[Averaging] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.live = averaged(pl_module)
        self.optimizers = [one for one in trainer.optimizers if isinstance(one, Averaging)]
        if self.optimizers and cast(Any, pl_module).sharded:
            raise NnError("an optimizer that averages the weights cannot be used with fsdp: set trainer.strategy=ddp")

    def judged(self) -> dict[Tensor, Tensor]:
        return {weight: mean for one in self.optimizers for weight, mean in one.averages().items()}
