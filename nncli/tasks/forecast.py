"""The next steps of one or more series. B samples, L input steps, F columns, H forecast steps, C target columns."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Unpack

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from nncli.contracts import Direction
from nncli.errors import NnError
from nncli.tasks.base import Batch, Parts, Rows, Task, mean_loss


class Forecast(Task):
    """The net maps (B, L, F) to (B, H, C), or to (B, H * C); the C targets are the first columns.

    Loss and metrics are in standard units, `(y - mean) / std` of each column's training rows, as is usual in
    publications; predictions are in the units of the series. The final evaluation adds `raw_rmse` and `raw_mae`, in the
    units of the series, and every metric of two naive forecasts: `naive_…` of repeating the last value, and, if a
    season of `period` steps fits into a window, `seasonal_…` of repeating the last season. A net that does not beat
    them has learned nothing.
    """

    metrics: ClassVar[Mapping[str, Direction]] = {
        **{"loss": "min", "mse": "min", "rmse": "min", "mae": "min", "r2": "max"},
        "naive_mse": "min",
    }
    target_mean: Tensor
    target_std: Tensor

    predicts: ClassVar[str] = "forecast"

    def __init__(
        self,
        num_targets: Annotated[int, Ge(1)],
        period: Annotated[float, Gt(0)] | None = None,
        **parts: Unpack[Parts],
    ) -> None:
        super().__init__(**parts)
        self.num_targets = num_targets
        self.season = max(1, round(period)) if period else None
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
        """The number of samples and of values, the loss, the errors (squared, absolute, naive squared); then of each
        column the targets and their squares."""
        x, y = batch
        if len(y) == 0:  # a rank's share of a short last batch
            return x.new_zeros(6 + 2 * self.num_targets, dtype=torch.float32)
        z, target = self._standard(x, y.shape[1:]), self._scaled(y)
        error = z - target
        naive = self._scaled(self._columns(x[:, -1:])) - target
        sums = [target.new_tensor([len(y), target.numel()]), (self.loss(z, target) * len(y))[None]]
        errors = torch.stack([error.square().sum(), error.abs().sum(), naive.square().sum()])
        return torch.cat([*sums, errors, target.sum(dim=(0, 1)), target.square().sum(dim=(0, 1))])

    def metrics_from(self, sums: list[float]) -> dict[str, float]:
        samples, numbers, loss, squared, absolute, naive = sums[:6]
        first, second = sums[6 : 6 + self.num_targets], sums[6 + self.num_targets :]
        each = numbers / self.num_targets
        spread = sum(b - a * a / each for a, b in zip(first, second, strict=True))
        return {
            "loss": loss / samples,
            "mse": squared / numbers,
            "rmse": math.sqrt(squared / numbers),
            "mae": absolute / numbers,
            "r2": 1 - squared / spread if spread > 0 else math.nan,
            "naive_mse": naive / numbers,
        }

    def answers(self, batch: Batch) -> tuple[Tensor, ...]:
        """The forecast, the target, and the naive forecasts (B, H, C), in standard units."""
        x, y = batch
        return self.answers_from(self._standard(x, y.shape[1:]) * self.target_std + self.target_mean, batch)

    def answers_from(self, predictions: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        x, y = batch
        target, past = self._scaled(y), self._scaled(self._columns(x))
        naive = [past[:, -1:].expand_as(target)]
        if self.season and self.season <= x.shape[1]:
            naive.append(past[:, torch.arange(y.shape[1], device=x.device) % self.season - self.season])
        return self._scaled(predictions), target, *naive

    def evaluate(self, *columns: Tensor) -> tuple[dict[str, float], dict[str, Any]]:
        """The metrics of the forecast and of the naive ones, and if there are several columns, the errors of each."""
        z, target = columns[0], columns[1].double()
        found: dict[str, float] = {"loss": mean_loss(self.loss, z, columns[1])}
        rows: list[dict[str, Any]] = [{} for _ in range(self.num_targets)]
        for prefix, answer in zip(("", "naive_", "seasonal_"), (z, *columns[2:]), strict=False):
            error = answer.double() - target
            raw = error * self.target_std
            found |= {f"{prefix}{name}": value for name, value in _errors(error, target, raw).items()}
            for row, some in zip(rows, raw.unbind(2), strict=True):
                row[f"{prefix}rmse"], row[f"{prefix}mae"] = _rms(some), float(some.abs().mean())
        return found, {"columns": rows} if len(rows) > 1 else {}

    def per_sample(self, *columns: Tensor) -> tuple[str, Tensor]:
        z, target = columns[:2]
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


def _errors(error: Tensor, target: Tensor, raw: Tensor) -> dict[str, float]:
    """The metrics of a forecast from its errors (N, H, C) in standard units and in those of the series."""
    spread = (target - target.mean(dim=(0, 1))).square().sum()
    return {
        "mse": float(error.square().mean()),
        "rmse": _rms(error),
        "mae": float(error.abs().mean()),
        "r2": float(1 - error.square().sum() / spread) if spread > 0 else math.nan,
        "raw_rmse": _rms(raw),
        "raw_mae": float(raw.abs().mean()),
    }


def _rms(error: Tensor) -> float:
    return math.sqrt(float(error.square().mean()))
