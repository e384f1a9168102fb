"""Linear maps over time for forecasting. B batch, L input steps, H forecast steps, F columns, C target columns."""

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn


class NLinear(nn.Module):
    """NLinear (Zeng et al. 2022, arXiv:2205.13504): subtract the last value, one linear map over time, add it back.

    The map is shared by all columns, each of which is forecast from its own past alone. (B, L, F) to (B, H, C). It is
    initialized to zero, the naive forecast of repeating the last value; in the paper at random.
    """

    def __init__(
        self, input_shape: list[int], horizon: Annotated[int, Ge(1)], num_targets: Annotated[int, Ge(1)]
    ) -> None:
        super().__init__()
        if num_targets < input_shape[-1]:
            raise ValueError(
                "nlinear forecasts each column from its own past, so it has no use for data.exogenous; "
                "set model=mlp with model.num_outputs = data.horizon × data.num_targets"
            )
        self.over_time = nn.Linear(input_shape[0], horizon)
        nn.init.zeros_(self.over_time.weight)
        nn.init.zeros_(self.over_time.bias)

    def forward(self, x_BLF: Tensor) -> Tensor:
        last_B1F = x_BLF[:, -1:]
        return self.over_time((x_BLF - last_B1F).mT).mT + last_B1F
