"""Rosenblatt's learning rule for a threshold unit ("The perceptron", 1958)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from nncli.contracts import Direction, Threshold
from nncli.errors import NnError
from nncli.tasks.base import Batch, Task, mean_loss


class PerceptronRule(Task):
    """`w += lr * (y - step(z)) * x`, summed over the batch; set data.batch_size=1 to update after each sample.

    The loss to use is the perceptron criterion, `sum of (step(z) - y) * z`. With z = w·x + b and step(z) held fixed,
    its gradient is `sum of (step(z) - y) * x`, so plain gradient descent follows exactly this rule, and correctly
    classified samples change nothing. The rule converges if a separating hyperplane exists (Novikoff 1962), and never
    otherwise, as for XOR (Minsky & Papert 1969).
    """

    metrics: ClassVar[Mapping[str, Direction]] = {"loss": "min", "accuracy": "max"}
    predicts: ClassVar[str] = "class"

    def training_loss(self, batch: Batch) -> Tensor:
        x, y = batch
        return self.loss(self._z(x), y)

    def predict(self, x: Tensor) -> Tensor:
        """The predicted classes 0 or 1 (B,)."""
        return (self._z(x) > 0).long()

    def metric_sums(self, batch: Batch) -> Tensor:
        """The number of samples, the summed loss, the number of right predictions."""
        x, y = batch
        if len(y) == 0:  # a rank's share of a short last batch
            return x.new_zeros(3)
        z = self._z(x)
        right = ((z > 0) == (y > 0)).sum()
        return torch.stack([z.new_full((), len(y)), self.loss(z, y), right.to(z.dtype)])

    def metrics_from(self, sums: list[float]) -> dict[str, float]:
        count, loss, right = sums
        return {"loss": loss / count, "accuracy": right / count}

    def answers(self, batch: Batch) -> tuple[Tensor, ...]:
        """The sums before the threshold, and the classes (B,)."""
        x, y = batch
        return self._z(x), y

    def answers_from(self, predictions: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """The classes as sums of -1 and 1, so that the loss counts the mistakes."""
        return 2.0 * predictions - 1, batch[1]

    def evaluate(self, *columns: Tensor) -> tuple[dict[str, float], dict[str, Any]]:
        z, y = columns
        right = ((z > 0) == (y > 0)).double()
        return {"loss": mean_loss(self.loss, z, y), "accuracy": float(right.mean())}, {}

    def per_sample(self, *columns: Tensor) -> tuple[str, Tensor]:
        z, y = columns
        return "accuracy", (z > 0) == (y > 0)

    def _z(self, x: Tensor) -> Tensor:
        if not isinstance(self.net, Threshold):
            raise NnError("task=perceptron trains a threshold unit, which this net is not; set model=perceptron")
        return self.net.z(self.transform(x)).float()
