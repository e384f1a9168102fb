"""GoogLeNet against the published sizes, and that it learns."""

from collections.abc import Callable
from typing import Literal

import pytest
import torch

from nncli.errors import NnError
from nncli.models.googlenet import GoogLeNet


# torchvision's count without auxiliary heads; Caffe's, with a bias for each of the 7,280 channels where a norm has two
@pytest.mark.parametrize(("kernel", "count"), [(3, 6_624_904), (5, 6_998_552 + 7_280)])
def test_parameters_are_the_published_ones(kernel: Literal[3, 5], count: int) -> None:
    with torch.device("meta"):
        net = GoogLeNet([3, 224, 224], 1000, "imagenet", 64, kernel, 0.2)
    assert sum(weight.numel() for weight in net.parameters()) == count


@pytest.mark.parametrize(("form", "size"), [("imagenet", 7), ("cifar", 56)])
def test_last_blocks_are_as_large_as_in_the_paper(form: Literal["imagenet", "cifar"], size: int) -> None:
    with torch.device("meta"):
        net = GoogLeNet([3, 224, 224], 10, form, 64, 5, 0.0).eval()
        assert net.blocks(net.stem(torch.randn(1, 3, 224, 224))).shape == (1, 1024, size, size)


@pytest.mark.parametrize("form", ["imagenet", "cifar"])
@pytest.mark.parametrize("shape", [[1, 8, 8], [1, 28, 28], [3, 32, 32]])
def test_takes_small_pictures(shape: list[int], form: Literal["imagenet", "cifar"]) -> None:
    net = GoogLeNet(shape, 5, form, 4, 5, 0.0)
    assert net(torch.randn(2, *shape)).shape == (2, 5)


def test_learns_which_way_a_stroke_lies(learned: Callable[..., tuple[float, float]]) -> None:
    torch.manual_seed(0)
    before, after = learned(GoogLeNet([1, 8, 8], 2, "cifar", 8, 5, 0.0), 8, 25, 0.01)
    assert before < 0.7
    assert after > 0.95


def test_a_row_is_no_picture() -> None:
    with pytest.raises(NnError, match=r"model=googlenet takes pictures .*, not input_shape \[4\]"):
        GoogLeNet([4], 3, "cifar", 64, 5, 0.0)
