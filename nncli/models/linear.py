"""A linear map of the flattened input: logistic or softmax regression under cross-entropy, least squares under MSE."""

from math import prod
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn


class Linear(nn.Module):
    """`W x + b` for inputs (B, *input_shape); outputs (B, num_outputs)."""

    def __init__(self, input_shape: list[int], num_outputs: Annotated[int, Ge(1)]) -> None:
        super().__init__()
        self.layer = nn.Linear(prod(input_shape), num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(1))
