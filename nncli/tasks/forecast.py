"""The next steps of one or more series. B samples, L steps looked at, F columns, H steps forecast, C columns."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Unpack

import torch
from annotated_types import Ge
from torch import Tensor

from nncli.contracts import Direction
from nncli.errors import NnError
from nncli.tasks.base import Batch, Parts, Rows, Task, mean_loss


class Forecast(Task):
    """The net maps (B, L, F) to (B, H, C), or to as many numbers in a row; the C targets are the first of the columns.

    Loss and metrics are in standard units, `(y - mean) / std` of each column's training rows, as results on series
    are published; predictions are in the series' own units. `naive_mse` is the error of saying the last value again:
    a net that does not beat it has learned nothing.
    """

    metrics: ClassVar[Mapping[str, Direction]] = {"loss": "min", "mse": "min", "mae": "min", "naive_mse": "min"}
    target_mean: Tensor
    target_std: Tensor

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
        """The next steps (B, H, C) in the series' own units."""
        return self._standard(x) * self.target_std + self.target_mean

    def metric_sums(self, batch: Batch) -> Tensor:
        """Samples, loss, numbers, and the squared, absolute and naive squared errors, in standard units."""
        x, y = batch
        if len(y) == 0:  # a rank's share of a short last batch
            return x.new_zeros(6, dtype=torch.float32)
        z, wanted = self._standard(x, y.shape[1:]), self._scaled(y)
        error = z - wanted
        naive = self._scaled(self._columns(x[:, -1:])) - wanted
        found = [wanted.new_full((), len(y)), self.loss(z, wanted) * len(y), wanted.new_full((), wanted.numel())]
        return torch.stack([*found, error.square().sum(), error.abs().sum(), naive.square().sum()])

    def metrics_from(self, sums: list[float]) -> dict[str, float]:
        samples, loss, numbers, squared, absolute, naive = sums
        return {
            "loss": loss / samples,
            "mse": squared / numbers,
            "mae": absolute / numbers,
            "naive_mse": naive / numbers,
        }

    def answers(self, batch: Batch) -> tuple[Tensor, ...]:
        """The forecast, what came, and the last value again (B, H, C), in standard units."""
        x, y = batch
        wanted = self._scaled(y)
        return self._standard(x, y.shape[1:]), wanted, self._scaled(self._columns(x[:, -1:])).expand_as(wanted)

    def evaluate(self, *columns: Tensor) -> tuple[dict[str, float], dict[str, Any]]:
        z, wanted, naive = columns
        error = z.double() - wanted.double()
        return {
            "loss": mean_loss(self.loss, z, wanted),
            "mse": float(error.square().mean()),
            "mae": float(error.abs().mean()),
            "naive_mse": float((naive.double() - wanted.double()).square().mean()),
        }, {}

    def _columns(self, x: Tensor) -> Tensor:
        """The columns that are forecast; steps come in (…, columns)."""
        if not x.is_floating_point() or x.dim() < 2 or x.shape[-1] < self.num_targets:
            raise NnError("task=forecast wants windows of a series with its targets as first columns, as data=series")
        return x[..., : self.num_targets]

    def _scaled(self, y: Tensor) -> Tensor:
        return (y - self.target_mean) / self.target_std

    def _standard(self, x: Tensor, wanted: torch.Size | None = None) -> Tensor:
        z = self(x).float()
        if z.dim() == 2 and z.shape[1] % self.num_targets == 0:
            z = z.unflatten(1, (-1, self.num_targets))
        if z.dim() != 3 or (wanted is not None and z.shape[1:] != wanted):
            steps = f"{wanted[0]} steps of {wanted[1]}" if wanted is not None and len(wanted) == 2 else "steps"
            raise NnError(
                f"task=forecast wants {steps} columns, the net gives {list(z.shape[1:])}; take model=nlinear, or set "
                f"model.num_outputs={wanted.numel() if wanted is not None else 'steps × columns'}"
            )
        return z
