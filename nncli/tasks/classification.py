"""One of several classes for each input."""

from typing import ClassVar

import torch
from torch import Tensor

from nncli.tasks.base import Batch, Task


class Classification(Task):
    """The net gives one score (logit) a class; the loss is taken in float32 whatever the net computes in."""

    metrics: ClassVar[tuple[str, ...]] = ("loss", "accuracy")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        return self.loss(self(x).float(), y)

    def predict(self, x: Tensor) -> Tensor:
        """The probability of each class (B, classes)."""
        return self(x).float().softmax(dim=1)

    def sums(self, batch: Batch) -> Tensor:
        """Samples, loss, right answers."""
        x, y = batch
        if len(y) == 0:  # a rank's share of a short last batch
            return torch.zeros(3, device=self.device)
        logits = self(x).float()
        right = (logits.argmax(dim=1) == y).sum()
        loss = self.loss(logits, y)
        return torch.stack([loss.new_tensor(len(y)), loss * len(y), right.to(loss.dtype)])

    def finish(self, sums: list[float]) -> dict[str, float]:
        count, loss, right = sums
        return {"loss": loss / count, "accuracy": right / count}
