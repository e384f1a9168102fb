"""The multilayer perceptron (Rumelhart, Hinton & Williams 1986)."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from annotated_types import Ge, Interval
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "gelu_tanh": partial(nn.GELU, approximate="tanh"),
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "leaky_relu": nn.LeakyReLU,
    "softmax": partial(nn.Softmax, dim=-1),
}


class MLP(nn.Module):
    """`depth` hidden layers of `width` units over the flattened input (B, *input_shape); outputs (B, num_outputs)."""

    def __init__(
        self,
        input_shape: list[int],
        num_outputs: Annotated[int, Ge(1)],
        width: Annotated[int, Ge(1)],
        depth: Annotated[int, Ge(1)],
        activation: Literal["relu", "tanh", "gelu", "gelu_tanh", "sigmoid", "silu", "elu", "leaky_relu", "softmax"],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
    ) -> None:
        super().__init__()
        sizes = [prod(input_shape)] + [width] * depth
        hidden: list[nn.Module] = []
        for inner, outer in pairwise(sizes):
            hidden += [nn.Linear(inner, outer), ACTIVATIONS[activation](), nn.Dropout(dropout)]
        self.layers = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(width, num_outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
