"""LeNet-5 against the paper's sizes, and that both of its forms learn."""

from collections.abc import Callable
from typing import Literal, get_type_hints

import pytest
import torch

from nncli.errors import NnError
from nncli.models.lenet import LeNet5
from nncli.models.mlp import ACTIVATIONS


@pytest.mark.parametrize("side", [8, 27, 28, 32])
def test_small_pictures_are_framed_to_the_papers_size(side: int) -> None:
    net = LeNet5([1, side, side], 10, 6, "tanh", "average", 0.0)
    assert sum(weight.numel() for weight in net.parameters()) == 61_706
    assert net(torch.randn(2, 1, side, side)).shape == (2, 10)


def test_corners_of_small_pictures_are_seen() -> None:
    net = LeNet5([1, 8, 8], 10, 6, "tanh", "average", 0.0)
    x = torch.zeros(1, 1, 8, 8, requires_grad=True)
    net(x).sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all()


@pytest.mark.parametrize("shape", [[3, 224, 224], [3, 40, 8]])
def test_takes_larger_pictures(shape: list[int]) -> None:
    net = LeNet5(shape, 5, 2, "relu", "max", 0.0)
    assert net(torch.randn(2, *shape)).shape == (2, 5)


@pytest.mark.parametrize(
    ("activation", "pool", "steps"), [("tanh", "average", 140), ("relu", "max", 60)], ids=["paper", "today"]
)
def test_learns_which_way_a_stroke_lies(
    activation: Literal["tanh", "relu"],
    pool: Literal["average", "max"],
    steps: int,
    learned: Callable[..., tuple[float, float]],
) -> None:
    torch.manual_seed(0)
    before, after = learned(LeNet5([1, 16, 16], 2, 6, activation, pool, 0.0), 16, steps, 5e-3)
    assert before < 0.7
    assert after > 0.95


def test_signature_lists_the_activations_there_are() -> None:
    assert set(get_type_hints(LeNet5.__init__)["activation"].__args__) <= set(ACTIVATIONS)


def test_a_row_is_no_picture() -> None:
    with pytest.raises(NnError, match=r"model=lenet5 takes pictures .*, not input_shape \[4\]"):
        LeNet5([4], 3, 6, "tanh", "average", 0.0)
