"""The next steps of one or more series. B samples, L input steps, F columns, H forecast steps, C target columns."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Unpack

import torch
from annotated_types import Ge
from torch import Tensor

from nncli.contracts import Direction
from nncli.errors import NnError
from nncli.tasks.base import Batch, Parts, Rows, Task, mean_loss


class Forecast(Task):
    """The net maps (B, L, F) to (B, H, C), or to (B, H * C); the C targets are the first columns.

    Loss and metrics are in standard units, `(y - mean) / std` of each column's training rows, as is usual in
    publications; predictions are in the units of the series. `naive_mse` is the error of repeating the last value: a
    net that does not beat it has learned nothing.
    """

    metrics: ClassVar[Mapping[str, Direction]] = {"loss": "min", "mse": "min", "mae": "min", "naive_mse": "min"}
    target_mean: Tensor
    target_std: Tensor

    predicts: ClassVar[str] = "forecast"

    def __init__(self, num_targets: Annotated[int, Ge(1)], **parts: Unpack[Parts]) -> None:
        super().__init__(**parts)
        self.num_targets = num_targets
        self.register_buffer("target_mean", torch.zeros(num_targets))
        self.register_buffer("target_std", torch.ones(num_targets))

    @torch.no_grad()
    def fit_statistics(self, rows: Rows) -> None:
        super().fit_statistics(rows)
        count, total = 0, torch.zeros(self.num_targets, dtype=torch.float64)
        for piece in rows.inputs():
            count, total = count + len(piece), total + self._columns(piece).double().sum(0).cpu()
        mean, squares = total / count, torch.zeros_like(total)
        for piece in rows.inputs():
            squares += (self._columns(piece).double().cpu() - mean).square().sum(0)
        std = (squares / count).sqrt()
        self.target_mean.copy_(mean)
        self.target_std.copy_(torch.where(std > 0, std, 1.0))

    def training_loss(self, batch: Batch) -> Tensor:
        x, y = batch
        return self.loss(self._standard(x, y.shape[1:]), self._scaled(y))

    def predict(self, x: Tensor) -> Tensor:
        """The next steps (B, H, C) in the units of the series."""
        return self._standard(x) * self.target_std + self.target_mean

    def metric_sums(self, batch: Batch) -> Tensor:
        """The number of samples, the loss, the number of values, and the squared, absolute and naive squared errors."""
        x, y = batch
        if len(y) == 0:  # a rank's share of a short last batch
            return x.new_zeros(6, dtype=torch.float32)
        z, target = self._standard(x, y.shape[1:]), self._scaled(y)
        error = z - target
        naive = self._scaled(self._columns(x[:, -1:])) - target
        sums = [target.new_full((), len(y)), self.loss(z, target) * len(y), target.new_full((), target.numel())]
        return torch.stack([*sums, error.square().sum(), error.abs().sum(), naive.square().sum()])

    def metrics_from(self, sums: list[float]) -> dict[str, float]:
        samples, loss, numbers, squared, absolute, naive = sums
        return {
            "loss": loss / samples,
            "mse": squared / numbers,
            "mae": absolute / numbers,
            "naive_mse": naive / numbers,
        }

    def answers(self, batch: Batch) -> tuple[Tensor, ...]:
        """The forecast, the target, and the last value repeated (B, H, C), in standard units."""
        x, y = batch
        return self.answers_from(self._standard(x, y.shape[1:]) * self.target_std + self.target_mean, batch)

    def answers_from(self, predictions: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        x, y = batch
        target = self._scaled(y)
        return self._scaled(predictions), target, self._scaled(self._columns(x[:, -1:])).expand_as(target)

    def evaluate(self, *columns: Tensor) -> tuple[dict[str, float], dict[str, Any]]:
        z, target, naive = columns
        error = z.double() - target.double()
        return {
            "loss": mean_loss(self.loss, z, target),
            "mse": float(error.square().mean()),
            "mae": float(error.abs().mean()),
            "naive_mse": float((naive.double() - target.double()).square().mean()),
        }, {}

    def per_sample(self, *columns: Tensor) -> tuple[str, Tensor]:
        z, target, _ = columns
        return "mse", (z.double() - target.double()).square().mean(dim=(1, 2))

    def _columns(self, x: Tensor) -> Tensor:
        """The target columns of steps (…, columns)."""
        if not x.is_floating_point() or x.dim() < 2 or x.shape[-1] < self.num_targets:
            raise NnError("task=forecast needs windows of a series, the targets as first columns, as from data=series")
        return x[..., : self.num_targets]

    def _scaled(self, y: Tensor) -> Tensor:
        return (y - self.target_mean) / self.target_std

    def _standard(self, x: Tensor, shape: torch.Size | None = None) -> Tensor:
        z = self(x).float()
        if z.dim() == 2 and z.shape[1] % self.num_targets == 0:
            z = z.unflatten(1, (-1, self.num_targets))
        if z.dim() != 3 or (shape is not None and z.shape[1:] != shape):
            steps = f"{shape[0]} steps of {shape[1]}" if shape is not None and len(shape) == 2 else "steps of"
            raise NnError(
                f"task=forecast needs {steps} columns, but the net outputs {list(z.shape[1:])}; set model=nlinear or "
                f"model.num_outputs={shape.numel() if shape is not None else 'steps × columns'}"
            )
        return z
