"""Linear maps over time for forecasting. B batch, L steps looked at, H steps ahead, F columns, C of them forecast."""

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn


class NLinear(nn.Module):
    """NLinear (Zeng et al. 2022, arXiv:2205.13504): subtract the last value, one linear map over time, add it back.

    The map is shared by all columns, each of which is forecast from its own past alone. (B, L, F) to (B, H, C). It
    begins at zero, which is the naive forecast, the last value again; the paper begins at random.
    """

    def __init__(
        self, input_shape: list[int], horizon: Annotated[int, Ge(1)], num_targets: Annotated[int, Ge(1)]
    ) -> None:
        super().__init__()
        if num_targets < input_shape[-1]:
            raise ValueError(
                "nlinear forecasts each column from its own past, so it has no use for data.exogenous; "
                "take model=mlp with model.num_outputs = data.horizon × data.num_targets"
            )
        self.over_time = nn.Linear(input_shape[0], horizon)
        nn.init.zeros_(self.over_time.weight)
        nn.init.zeros_(self.over_time.bias)

    def forward(self, x_BLF: Tensor) -> Tensor:
        last_B1F = x_BLF[:, -1:]
        return self.over_time((x_BLF - last_B1F).mT).mT + last_B1F
