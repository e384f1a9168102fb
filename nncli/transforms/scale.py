"""Random scaling of series (Um et al. 2017, arXiv:1706.00527)."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn


class Scale(nn.Module):
    """Scale each channel of each series (B, T, F) by its own factor, normally distributed around 1."""

    def __init__(self, std: Annotated[float, Ge(0)]) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + self.std * torch.randn(len(x), 1, x.shape[-1], device=x.device, dtype=x.dtype))
