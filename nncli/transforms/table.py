"""Rows of a table as inputs of a net: standardized numbers, flags for missing ones, one-hot categories.

B rows, F stored numbers per row, W input values of the net.
"""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from nncli.transforms.standardize import Inputs

NUMBER, FLAGGED = 1, 2  # sizes; 3 or more is a category


class Table(nn.Module):
    """Each stored number becomes as many input values as its entry in `sizes`.

    1: a number, standardized with the training part; a missing one (NaN) becomes 0. 2: the same and a flag for missing
    numbers. 3 or more: a one-hot category, whose first value is for missing and unknown categories.
    """

    mean: Tensor
    std: Tensor
    owner: Tensor
    level: Tensor
    scaled: Tensor
    flag: Tensor

    def __init__(self, sizes: list[Annotated[int, Ge(1)]]) -> None:
        super().__init__()
        count = torch.tensor(sizes)
        owner_W = torch.arange(len(sizes)).repeat_interleave(count)
        level_W = torch.cat([torch.arange(size) for size in sizes])
        size_W = count[owner_W]
        self.register_buffer("mean", torch.zeros(len(sizes)))
        self.register_buffer("std", torch.ones(len(sizes)))
        self.register_buffer("owner", owner_W, persistent=False)  # the stored number that each value comes from
        self.register_buffer("level", level_W.float(), persistent=False)  # which of the values of its number
        self.register_buffer("scaled", (size_W <= FLAGGED) & (level_W == 0), persistent=False)
        self.register_buffer("flag", (size_W == FLAGGED) & (level_W == 1), persistent=False)

    @torch.no_grad()
    def fit(self, inputs: Inputs) -> None:
        """Mean and deviation of the numbers that are not missing, in two passes, accurate even for a large mean."""
        width = len(self.mean)
        total, count = (torch.zeros(width, dtype=torch.float64) for _ in range(2))
        for part in inputs():
            total += part.double().nansum(0).cpu()
            count += part.isfinite().sum(0).cpu()
        mean = total / count.clamp(min=1)
        square = torch.zeros(width, dtype=torch.float64)
        for part in inputs():
            square += (part.double().cpu() - mean).square().nansum(0)
        std = (square / count.clamp(min=1)).sqrt()
        std[std == 0] = 1
        self.mean.copy_(mean)
        self.std.copy_(std)

    def forward(self, x: Tensor) -> Tensor:
        scaled_BF = (x - self.mean) / self.std
        x_BW, scaled_BW = x.index_select(1, self.owner), scaled_BF.index_select(1, self.owner)
        missing_BW = x_BW.isnan()
        number_BW = torch.where(missing_BW, 0.0, scaled_BW)
        other_BW = (self.flag & missing_BW) | (~self.flag & (x_BW == self.level))
        return torch.where(self.scaled, number_BW, other_BW.to(x.dtype))
