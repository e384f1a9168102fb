"""Noise on every value."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn


class Noise(nn.Module):
    """Add normal noise of deviation `std` to standardized values of any shape, which for series is called jitter."""

    def __init__(self, std: Annotated[float, Ge(0)]) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x + self.std * torch.randn_like(x)
