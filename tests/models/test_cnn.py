"""The plain convolutional net: the guides' sizes, any size of picture, and that it learns what a linear map cannot."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nncli.errors import NnError
from nncli.models.cnn import CNN, NORMS
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
    with pytest.raises(NnError, match=r"too often for \[1, 8, 8\]; use fewer model\.channels"):
        CNN([1, 8, 8], 10, [8, 8, 8, 8], 0, "none", "same", "flatten", 0.0)


def found(model: nn.Module, scale: float = 1.0) -> float:
    """How often it tells which of two strokes is in a new picture, at a random place: no sum of pixels can."""
    torch.manual_seed(0)
    y = torch.arange(256) % 2
    x = torch.zeros(256, 1, 12, 12)
    for i, (row, column) in enumerate(torch.randint(1, 11, (256, 2)).tolist()):
        lies = slice(column - 1, column + 2), slice(row - 1, row + 2)
        x[i, 0, row, lies[0]] += y[i]
        x[i, 0, lies[1], column] += 1 - y[i]
    x *= scale
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        cross_entropy(model(x[:192]), y[:192]).backward()
        optimizer.step()
    return (model.eval()(x[192:]).argmax(1) == y[192:]).float().mean().item()


def test_finds_a_mark_wherever_it_is_as_no_linear_map_does() -> None:
    torch.manual_seed(0)
    assert found(CNN([1, 12, 12], 2, [8, 8], 0, "none", "same", "mean", 0.0)) > 0.95
    assert found(Linear([1, 12, 12], 2)) < 0.95


@pytest.mark.parametrize("norm", [*NORMS, "none"])
def test_normalization_learns_from_pictures_that_are_far_too_dark(norm: str) -> None:
    torch.manual_seed(0)
    net = CNN([1, 12, 12], 2, [8, 8], 0, norm, "same", "mean", 0.0)  # pyright: ignore[reportArgumentType]
    assert (found(net, scale=0.001) > 0.9) == (norm != "none")


@pytest.mark.parametrize("norm", NORMS)
def test_only_batches_are_normalized_together(norm: str) -> None:
    net = CNN([1, 12, 12], 2, [8, 8], 0, norm, "same", "mean", 0.0)  # pyright: ignore[reportArgumentType]
    x = torch.randn(8, 1, 12, 12)
    alone, together = net(x[:2]), net(torch.cat([x[:2], 9 * x[2:]]))[:2]
    assert torch.allclose(alone, together, atol=1e-5) == (norm != "batch")
