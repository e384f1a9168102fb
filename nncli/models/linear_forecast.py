"""Linear maps over time for forecasting. B batch, L input steps, H forecast steps, F columns, C target columns."""

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional


def own_past(model: str, input_shape: list[int], num_targets: int) -> None:
    """Raise ValueError if there are input columns that are not forecast, which such a net would not use."""
    if num_targets < input_shape[-1]:
        raise ValueError(
            f"{model} forecasts each column from its own past, so it has no use for data.exogenous; "
            "set model=lstm_forecast"
        )


class NLinear(nn.Module):
    """NLinear (Zeng et al. 2022, arXiv:2205.13504): subtract the last value, one linear map over time, add it back.

    The map is shared by all columns, each of which is forecast from its own past alone. (B, L, F) to (B, H, C). It is
    initialized to zero, the naive forecast of repeating the last value; in the paper at random.
    """

    def __init__(
        self, input_shape: list[int], horizon: Annotated[int, Ge(1)], num_targets: Annotated[int, Ge(1)]
    ) -> None:
        super().__init__()
        own_past("nlinear", input_shape, num_targets)
        self.over_time = nn.Linear(input_shape[0], horizon)
        nn.init.zeros_(self.over_time.weight)
        nn.init.zeros_(self.over_time.bias)

    def forward(self, x_BLF: Tensor) -> Tensor:
        last_B1F = x_BLF[:, -1:]
        return self.over_time((x_BLF - last_B1F).mT).mT + last_B1F


class DLinear(nn.Module):
    """DLinear (Zeng et al. 2022, arXiv:2205.13504): a linear map over time for the trend, and one for the remainder.

    The trend is a moving average over `kernel` steps, with the first and the last value repeated beyond the ends. The
    maps are shared by all columns, as in NLinear. (B, L, F) to (B, H, C). They are initialized to zero, the forecast of
    the mean; in the paper at random, which a few epochs do not wash out.
    """

    def __init__(
        self,
        input_shape: list[int],
        horizon: Annotated[int, Ge(1)],
        num_targets: Annotated[int, Ge(1)],
        kernel: Annotated[int, Ge(1)],
    ) -> None:
        super().__init__()
        own_past("dlinear", input_shape, num_targets)
        self.kernel = kernel
        self.trend = nn.Linear(input_shape[0], horizon)
        self.remainder = nn.Linear(input_shape[0], horizon)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x_BLF: Tensor) -> Tensor:
        x_BFL = x_BLF.mT
        ends = ((self.kernel - 1) // 2, self.kernel // 2)
        trend_BFL = functional.avg_pool1d(functional.pad(x_BFL, ends, mode="replicate"), self.kernel, stride=1)
        return (self.trend(trend_BFL) + self.remainder(x_BFL - trend_BFL)).mT
