"""Where a run was: the order of its samples and every random state, put back from a checkpoint."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from nncli.run import random


class Resumer(Callback):
    """Puts the order of samples and every random state back to where the checkpoint left them."""

    def __init__(self) -> None:
        self.saved: dict[str, Any] | None = None

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint["nncli"]
        self.saved = saved
        _data(trainer).train_dataloader().start = tuple(saved["position"])

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self.saved:
            self.restore(trainer)
            self.saved = None

    def restore(self, trainer: Trainer) -> None:
        assert self.saved is not None
        random.restore(self.saved["ranks"][trainer.global_rank]["random"])


def _data(trainer: Trainer) -> Any:
    return trainer.datamodule  # type: ignore[attr-defined]  # Lightning sets it in fit
