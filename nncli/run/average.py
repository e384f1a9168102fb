"""An exponential moving average of the weights, judged and kept in place of the raw ones."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn


def averaged(net: nn.Module) -> dict[str, Tensor]:
    """The tensors an average makes sense for: parameters and floating buffers."""
    return {name: t for name, t in net.state_dict().items() if t.is_floating_point()}


class AverageWeights(Callback):
    """Averages after every optimizer step and swaps the average in while the validation part is judged."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.live: dict[str, Tensor] = {}  # the net's own tensors
        self.shadow: dict[str, Tensor] = {}
        self.step = 0
        self._loaded: dict[str, Tensor] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.live = averaged(pl_module)
        self.shadow = {n: self._loaded[n].to(t) if n in self._loaded else t.clone() for n, t in self.live.items()}
        self.step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.step:
            return
        self.step = trainer.global_step
        # the first steps weigh more, so that the average does not remember the random start
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]  # one call for all tensors
            list(self.shadow.values()), list(self.live.values()), 1 - decay
        )

    def _swap(self) -> None:
        with torch.no_grad():
            for name, tensor in self.live.items():
                mine = self.shadow[name].clone()
                self.shadow[name].copy_(tensor)
                tensor.copy_(mine)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._swap()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._swap()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["ema"] = {n: t.clone() for n, t in self.shadow.items()}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._loaded = checkpoint.get("ema", {})
