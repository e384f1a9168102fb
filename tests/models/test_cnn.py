"""The plain convolutional net: the guides' sizes, any size of picture, and that it learns what a linear map cannot."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from nncli.errors import NnError
from nncli.models.cnn import CNN
from nncli.models.linear import Linear


def test_sizes_of_the_well_known_nets() -> None:
    two = CNN([1, 28, 28], 10, [32, 64], 64, "none", "valid", "flatten", 0.0)
    assert sum(weight.numel() for weight in two.parameters()) == 320 + 18_496 + 1600 * 64 + 64 + 650
    three = CNN([3, 32, 32], 10, [32, 64, 128], 256, "batch", "same", "flatten", 0.5)
    assert sum(weight.numel() for weight in three.parameters()) == 620_810 - (32 + 64 + 128)  # no bias before a norm


@pytest.mark.parametrize("shape", [[1, 8, 8], [3, 32, 32], [3, 224, 160]])
@pytest.mark.parametrize("head", ["flatten", "mean"])
def test_takes_pictures_of_any_size(shape: list[int], head: str) -> None:
    net = CNN(shape, 5, [4, 8, 16], 8, "batch", "same", head, 0.0)  # pyright: ignore[reportArgumentType]
    assert net(torch.randn(2, *shape)).shape == (2, 5)


def test_too_many_blocks_for_the_picture_are_told() -> None:
    with pytest.raises(NnError, match=r"too often for \[1, 8, 8\]; give fewer model\.channels"):
        CNN([1, 8, 8], 10, [8, 8, 8, 8], 0, "none", "same", "flatten", 0.0)


@pytest.mark.parametrize(("net", "learns"), [("cnn", True), ("linear", False)])
def test_finds_a_mark_wherever_it_is(net: str, learns: bool) -> None:
    """Which of two strokes is in the picture, at a random place: no weighted sum of pixels can tell."""
    torch.manual_seed(0)
    y = torch.arange(256) % 2
    x = torch.zeros(256, 1, 12, 12)
    for i, (row, column) in enumerate(torch.randint(1, 11, (256, 2)).tolist()):
        lies = slice(column - 1, column + 2), slice(row - 1, row + 2)
        x[i, 0, row, lies[0]] += y[i]
        x[i, 0, lies[1], column] += 1 - y[i]
    model = CNN([1, 12, 12], 2, [8, 8], 0, "none", "same", "mean", 0.0) if net == "cnn" else Linear([1, 12, 12], 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        cross_entropy(model(x[:192]), y[:192]).backward()
        optimizer.step()
    right = (model(x[192:]).argmax(1) == y[192:]).float().mean()
    assert (right > 0.95) == learns, right
