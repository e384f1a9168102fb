"""Densely connected nets against the published sizes, and that they learn."""

from collections.abc import Callable
from typing import Literal

import pytest
import torch

from nncli.errors import NnError
from nncli.models.densenet import DenseNet


@pytest.mark.parametrize(
    ("depth", "growth", "count"),
    [(121, 32, 7_978_856), (161, 48, 28_681_000), (169, 32, 14_149_480), (201, 32, 20_013_928)],
)
def test_parameters_are_the_published_ones(depth: Literal[121, 161, 169, 201], growth: int, count: int) -> None:
    with torch.device("meta"):
        net = DenseNet([3, 224, 224], 1000, depth, "imagenet", growth, 0.0)
    assert sum(weight.numel() for weight in net.parameters()) == count


@pytest.mark.parametrize(("depth", "growth", "millions"), [(100, 12, 0.8), (250, 24, 15.3), (190, 40, 25.6)])
def test_cifar_nets_are_as_large_as_table_2_says(depth: Literal[100, 190, 250], growth: int, millions: float) -> None:
    with torch.device("meta"):
        net = DenseNet([3, 32, 32], 10, depth, "cifar", growth, 0.0)
    assert round(sum(weight.numel() for weight in net.parameters()) / 1e6, 1) == millions


@pytest.mark.parametrize(
    ("shape", "depth", "form"),
    [
        ([3, 224, 224], 121, "imagenet"),
        ([3, 32, 32], 121, "imagenet"),
        ([1, 28, 28], 40, "cifar"),
        ([1, 8, 8], 121, "cifar"),
    ],
)
def test_takes_small_and_large_pictures(
    shape: list[int], depth: Literal[40, 121], form: Literal["imagenet", "cifar"]
) -> None:
    net = DenseNet(shape, 5, depth, form, 2, 0.0)
    assert net(torch.randn(2, *shape)).shape == (2, 5)


def test_learns_which_way_a_stroke_lies(learned: Callable[..., tuple[float, float]]) -> None:
    torch.manual_seed(0)
    before, after = learned(DenseNet([1, 8, 8], 2, 40, "cifar", 4, 0.0), 8, 30, 0.01)
    assert before < 0.7
    assert after > 0.95


@pytest.mark.parametrize(
    ("form", "depth", "least", "mend"),
    [("imagenet", 121, 29, "set model.form=cifar"), ("cifar", 121, 8, "use a model.depth of three blocks")],
)
def test_too_small_pictures_are_told(
    form: Literal["imagenet", "cifar"], depth: Literal[121], least: int, mend: str
) -> None:
    with pytest.raises(NnError, match=rf"{least}x{least} or more, not input_shape \[1, {least - 1}, 32\]; {mend}"):
        DenseNet([1, least - 1, 32], 10, depth, form, 2, 0.0)
    DenseNet([1, least, 32], 10, depth, form, 2, 0.0)(torch.randn(2, 1, least, 32))
