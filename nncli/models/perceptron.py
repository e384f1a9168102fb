"""The threshold unit (Rosenblatt 1958, after McCulloch & Pitts 1943)."""

from math import prod

import torch
from torch import Tensor, nn


class Perceptron(nn.Module):
    """1 where `w·x + b` is above 0, else 0. Weights are initialized to zero, which is all that the rule needs.

    Inputs (B, *input_shape), outputs (B,). The output has no gradient; training uses `z`.
    """

    def __init__(self, input_shape: list[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(prod(input_shape)))
        self.bias = nn.Parameter(torch.zeros(()))

    def z(self, x: Tensor) -> Tensor:
        """The sum before the threshold."""
        return x.flatten(1) @ self.weight + self.bias

    def forward(self, x: Tensor) -> Tensor:
        z = self.z(x)
        return (z > 0).to(z.dtype)
