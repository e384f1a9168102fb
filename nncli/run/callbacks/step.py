"""The hooks of our callbacks in addition to Lightning's."""

from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback, LightningModule
from torch import Tensor

from nncli.contracts import Turn

if TYPE_CHECKING:
    from nncli.run.learner import Learner


class StepCallback(Callback):
    """A callback that is also called for each loss and each optimizer step."""

    def on_loss(self, learner: "Learner", turn: Turn, batch: Any, loss: Tensor) -> None:
        """Called before the gradients of a loss are computed."""

    def on_step_end(self, trainer: Any, module: LightningModule) -> None:
        """Called after an optimizer step, which `trainer.global_step` includes."""
