"""What our callbacks hear besides Lightning's hooks."""

from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback, LightningModule
from torch import Tensor

from nncli.contracts import Turn

if TYPE_CHECKING:
    from nncli.run.learner import Learner


class StepCallback(Callback):
    """A callback that is also told of each loss and each optimizer step."""

    def on_loss(self, learner: "Learner", turn: Turn, batch: Any, loss: Tensor) -> None:
        """Before its gradients are computed."""

    def on_step_end(self, trainer: Any, module: LightningModule) -> None:
        """After an optimizer step; `trainer.global_step` counts it."""
