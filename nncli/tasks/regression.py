"""A number for each input."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import torch
from torch import Tensor, nn

from nncli.contracts import Direction
from nncli.errors import NnError
from nncli.tasks.base import Batch, Parts, Rows, Task, mean_loss


class Regression(Task):
    """The net learns the target in standard units, `(y - mean) / std` of the training part.

    Predictions and metrics are in the units of the target; only `loss` is in standard units.
    """

    metrics: ClassVar[Mapping[str, Direction]] = {"loss": "min", "mae": "min", "rmse": "min", "mse": "min", "r2": "max"}
    predicts: ClassVar[str] = "value"
    target_mean: Tensor
    target_std: Tensor

    def __init__(self, **parts: Unpack[Parts]) -> None:
        super().__init__(**parts)
        if isinstance(self.loss, nn.CrossEntropyLoss):
            raise NnError("task=regression predicts a number, and loss=cross_entropy is for classes; set loss=mse")
        self.register_buffer("target_mean", torch.zeros(()))
        self.register_buffer("target_std", torch.ones(()))

    def fit_statistics(self, rows: Rows) -> None:
        super().fit_statistics(rows)
        if (y := rows.labels) is None:
            raise NnError("task=regression needs one number per sample as target, which this data does not have")
        self.target_mean.fill_(y.double().mean().item())
        self.target_std.fill_(y.double().std(correction=0).item() or 1.0)

    def training_loss(self, batch: Batch) -> Tensor:
        x, y = batch
        return self.loss(self._standard(x), self._scaled(y))

    def predict(self, x: Tensor) -> Tensor:
        """The number (B,) in the units of the target."""
        return self._standard(x) * self.target_std + self.target_mean

    def joined(self, predictions: list[Tensor], vote: bool) -> Tensor:
        """The mean or, with `vote`, the median of several nets' predictions."""
        y_NB = torch.stack(predictions)
        return y_NB.quantile(0.5, dim=0) if vote else y_NB.mean(dim=0)

    def answers_from(self, predictions: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        return self._scaled(predictions), self._scaled(batch[1])

    def metric_sums(self, batch: Batch) -> Tensor:
        """The number of samples, and the sums of loss, absolute and squared errors, targets and their squares."""
        x, y = batch
        if len(y) == 0:  # a rank's share of a short last batch
            return x.new_zeros(6, dtype=torch.float32)
        z, target = self._standard(x), self._scaled(y)
        error = z - target
        count = target.new_full((), len(y))
        sums = [count, self.loss(z, target) * count, error.abs().sum(), error.square().sum()]
        return torch.stack([*sums, target.sum(), target.square().sum()])

    def metrics_from(self, sums: list[float]) -> dict[str, float]:
        count, loss, absolute, squared, first, second = sums
        spread = second - first * first / count  # the squared errors of always predicting the mean
        unit = self.target_std.item()
        return {
            "loss": loss / count,
            "mae": unit * absolute / count,
            "rmse": unit * math.sqrt(squared / count),
            "mse": unit * unit * squared / count,
            "r2": 1 - squared / spread if spread > 0 else math.nan,
        }

    def answers(self, batch: Batch) -> tuple[Tensor, ...]:
        """The predictions and the targets (B,), in standard units."""
        x, y = batch
        return self._standard(x), self._scaled(y)

    def evaluate(self, *columns: Tensor) -> tuple[dict[str, float], dict[str, Any]]:
        z, target = columns
        unit, mean = self.target_std.item(), self.target_mean.item()
        answer, truth = (unit * column.double() + mean for column in (z, target))
        error, spread = answer - truth, (truth - truth.mean()).square().sum()
        mse = float(error.square().mean())
        return {
            "loss": mean_loss(self.loss, z, target),
            "mae": float(error.abs().mean()),
            "rmse": math.sqrt(mse),
            "mse": mse,
            "r2": float(1 - error.square().sum() / spread) if spread > 0 else math.nan,
        }, {}

    def per_sample(self, *columns: Tensor) -> tuple[str, Tensor]:
        z, target = columns
        return "mse", (self.target_std.item() * (z.double() - target.double())).square()

    def _scaled(self, y: Tensor) -> Tensor:
        return (y - self.target_mean) / self.target_std

    def _standard(self, x: Tensor) -> Tensor:
        z = self(x).float()
        if z.shape[1:] != (1,):
            raise NnError(f"task=regression needs one output, the net has {list(z.shape[1:])}; set model.num_outputs=1")
        return z.squeeze(1)
