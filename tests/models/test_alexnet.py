"""AlexNet against the published size, and that both forms learn."""

from collections.abc import Callable
from typing import Literal

import pytest
import torch

from nncli.errors import NnError
from nncli.models.alexnet import AlexNet


def test_parameters_are_the_published_ones() -> None:
    with torch.device("meta"):
        net = AlexNet([3, 224, 224], 1000, "imagenet", 64, 4096, "relu", 0.5)
    assert sum(weight.numel() for weight in net.parameters()) == 61_100_840


@pytest.mark.parametrize("shape", [[3, 32, 32], [1, 28, 28], [3, 224, 160], [1, 15, 15]])
def test_cifar_form_takes_small_and_large_pictures(shape: list[int]) -> None:
    net = AlexNet(shape, 5, "cifar", 2, 8, "relu", 0.0)
    assert net(torch.randn(2, *shape)).shape == (2, 5)


def test_imagenet_form_leaves_six_by_six() -> None:
    net = AlexNet([3, 224, 224], 5, "imagenet", 2, 8, "relu", 0.0)
    assert net.features[:-1](torch.randn(1, 3, 224, 224)).shape == (1, 8, 6, 6)  # before the mean over places


@pytest.mark.parametrize(("form", "size"), [("cifar", 16), ("imagenet", 64)])
def test_learns_which_way_a_stroke_lies(
    form: Literal["cifar", "imagenet"], size: int, learned: Callable[..., tuple[float, float]]
) -> None:
    torch.manual_seed(0)
    before, after = learned(AlexNet([1, size, size], 2, form, 8, 32, "relu", 0.0), size, 90, 3e-3)
    assert before < 0.7
    assert after > 0.95


@pytest.mark.parametrize(
    ("form", "side", "told"),
    [("imagenet", 62, "63x63 or more, .*; model.form=cifar takes 15x15"), ("cifar", 14, "15x15 or more")],
)
def test_too_small_pictures_are_told(form: Literal["cifar", "imagenet"], side: int, told: str) -> None:
    with pytest.raises(NnError, match=f"model=alexnet needs pictures of {told}"):
        AlexNet([3, side, 80], 10, form, 4, 8, "relu", 0.0)
    AlexNet([3, side + 1, 80], 10, form, 4, 8, "relu", 0.0)(torch.randn(2, 3, side + 1, 80))
