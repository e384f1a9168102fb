"""VGG against the published sizes, and that it learns with and without normalization."""

from collections.abc import Callable
from typing import Literal

import pytest
import torch

from nncli.errors import NnError
from nncli.models.vgg import VGG


@pytest.mark.parametrize(
    ("depth", "plain", "normed"),
    [
        (11, 132_863_336, 132_868_840),
        (13, 133_047_848, 133_053_736),
        (16, 138_357_544, 138_365_992),
        (19, 143_667_240, 143_678_248),
    ],
)
def test_parameters_are_the_published_ones(depth: Literal[11, 13, 16, 19], plain: int, normed: int) -> None:
    with torch.device("meta"):
        one = VGG([3, 224, 224], 1000, depth, "imagenet", 64, 4096, "none", "relu", 0.5)
        other = VGG([3, 224, 224], 1000, depth, "imagenet", 64, 4096, "batch", "relu", 0.5)
    assert [sum(weight.numel() for weight in net.parameters()) for net in (one, other)] == [plain, normed]


def test_cifar_form_has_the_usual_size() -> None:
    with torch.device("meta"):
        net = VGG([3, 32, 32], 10, 16, "cifar", 64, 4096, "batch", "relu", 0.0)
    assert sum(weight.numel() for weight in net.parameters()) == 14_728_266


@pytest.mark.parametrize("form", ["cifar", "imagenet"])
@pytest.mark.parametrize("shape", [[1, 8, 8], [1, 28, 28], [3, 32, 32], [3, 224, 224], [3, 270, 200]])
def test_takes_pictures_of_any_size(shape: list[int], form: Literal["cifar", "imagenet"]) -> None:
    net = VGG(shape, 5, 11, form, 1, 8, "batch", "relu", 0.0)
    assert net(torch.randn(2, *shape)).shape == (2, 5)


@pytest.mark.parametrize(("depth", "form", "norm"), [(16, "cifar", "batch"), (11, "imagenet", "none")])
def test_learns_which_way_a_stroke_lies(
    depth: Literal[11, 16],
    form: Literal["cifar", "imagenet"],
    norm: Literal["batch", "none"],
    learned: Callable[..., tuple[float, float]],
) -> None:
    torch.manual_seed(0)
    net = VGG([1, 16, 16], 2, depth, form, 8, 32, norm, "relu", 0.0)
    before, after = learned(net, 16, 80, 3e-3)
    assert before < 0.7
    assert after > 0.95


def test_19_layers_without_normalization_neither_fade_nor_grow() -> None:
    torch.manual_seed(0)
    net = VGG([3, 32, 32], 10, 19, "cifar", 16, 8, "none", "relu", 0.0)
    spread = net.features(torch.randn(8, 3, 32, 32)).std()
    assert 0.1 < spread < 10, f"pictures of spread 1 leave the convolutions with {spread:.3g}"


def test_a_row_is_no_picture() -> None:
    with pytest.raises(NnError, match=r"model=vgg takes pictures .*, not input_shape \[4\]"):
        VGG([4], 3, 11, "cifar", 4, 8, "batch", "relu", 0.0)
