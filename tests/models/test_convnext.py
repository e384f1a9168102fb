"""ConvNeXt against the published sizes, and that it learns what is in a picture wherever it is."""

from collections.abc import Callable
from typing import Literal

import pytest
import torch
from torch import nn

from nncli.errors import NnError
from nncli.models.convnext import Block, ConvNeXt

Learned = Callable[..., tuple[float, float]]


@pytest.mark.parametrize(
    ("depths", "width", "count"),
    [
        ([3, 3, 9, 3], 96, 28_589_128),
        ([3, 3, 27, 3], 96, 50_223_688),
        ([3, 3, 27, 3], 128, 88_591_464),
        ([3, 3, 27, 3], 192, 197_767_336),
    ],
)
def test_parameters_are_the_published_ones(depths: list[int], width: int, count: int) -> None:
    with torch.device("meta"):
        net = ConvNeXt([3, 224, 224], 1000, depths, width, "imagenet", 1e-6, 0.0, 0.1)
    assert sum(weight.numel() for weight in net.parameters()) == count


@pytest.mark.parametrize(("form", "sides", "last"), [("imagenet", 224, 7), ("cifar", 32, 2), ("imagenet", 32, 1)])
def test_last_stage_is_as_large_as_in_the_paper(form: Literal["imagenet", "cifar"], sides: int, last: int) -> None:
    with torch.device("meta"):
        net = ConvNeXt([3, sides, sides], 10, [1, 1, 1, 1], 8, form, 1e-6, 0.0, 0.0)
        x = torch.randn(2, 3, sides, sides)
        assert net.layers(x).shape == (2, 64, last, last)
        assert net(x).shape == (2, 10)


def test_channels_last_gives_the_same() -> None:
    torch.manual_seed(0)
    net = ConvNeXt([3, 16, 16], 10, [1, 1], 8, "cifar", 0.1, 0.0, 0.0).eval()
    x = torch.randn(2, 3, 16, 16)
    before = net(x)
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    y = net.layers(x.to(memory_format=torch.channels_last))
    assert y.is_contiguous(memory_format=torch.channels_last), "a block copies its pictures"
    assert torch.allclose(net.head(y), before, atol=1e-5)


@pytest.mark.parametrize(
    ("form", "told"),
    [("imagenet", "32x32 or more.*use model.form=cifar or fewer model.depths"), ("cifar", "16x16.*; use fewer")],
)
def test_a_picture_that_is_too_small_is_told(form: Literal["imagenet", "cifar"], told: str) -> None:
    with pytest.raises(NnError, match=f"model=convnext needs pictures of {told}") as error:
        ConvNeXt([1, 8, 9], 10, [1, 1, 1, 1], 8, form, 1e-6, 0.0, 0.0)
    assert "input_shape [1, 8, 9]" in str(error.value)


def test_blocks_start_as_nearly_nothing() -> None:
    x = torch.randn(2, 8, 4, 4)
    assert torch.allclose(Block(8, 1e-6, 0.0)(x), x, atol=1e-4)
    assert not torch.allclose(Block(8, 1.0, 0.0)(x), x, atol=1e-2)


@pytest.mark.parametrize(("zero", "steps"), [(False, 100), (True, 10)])
def test_tells_strokes_apart_unless_all_weights_are_zero(learned: Learned, zero: bool, steps: int) -> None:
    torch.manual_seed(0)
    net = ConvNeXt([1, 12, 12], 2, [1, 1], 16, "cifar", 0.1, 0.0, 0.0)
    if zero:
        for weight in net.parameters():
            nn.init.zeros_(weight)
    before, after = learned(net, 12, steps, 5e-3)
    assert before < 0.7
    assert after < 0.6 if zero else after > 0.95, after
