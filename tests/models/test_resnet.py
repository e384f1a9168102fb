"""Residual nets against the published sizes."""

from typing import Literal

import pytest
import torch
from torch.nn.functional import cross_entropy

from nncli.models.resnet import Residual, ResNet


@pytest.mark.parametrize(
    ("depth", "count"),
    [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160), (152, 60_192_808)],
)
def test_parameters_are_the_published_ones(depth: Literal[18, 34, 50, 101, 152], count: int) -> None:
    with torch.device("meta"):
        net = ResNet([3, 224, 224], 1000, depth, "imagenet", 64, 0.0, False)
    assert sum(weight.numel() for weight in net.parameters()) == count


@pytest.mark.parametrize(("form", "size"), [("imagenet", 7), ("cifar", 28)])
def test_last_stage_is_as_large_as_in_the_paper(form: Literal["imagenet", "cifar"], size: int) -> None:
    net = ResNet([3, 224, 224], 10, 18, form, 4, 0.0, False).eval()
    assert net.blocks(net.stem(torch.randn(1, 3, 224, 224))).shape == (1, 32, size, size)


@pytest.mark.parametrize("depth", [18, 50])
def test_learns_small_pictures(depth: Literal[18, 50]) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(32, 1, 8, 8), torch.arange(32) % 4
    net = ResNet([1, 8, 8], 4, depth, "cifar", 8, 0.0, False)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2, f"32 pictures of noise are not learned by heart, losses {losses}"


def test_zero_init_starts_blocks_as_the_identity() -> None:
    net = ResNet([3, 32, 32], 10, 18, "cifar", 8, 0.0, True)
    block = net.blocks[1]
    assert isinstance(block, Residual)
    x = torch.rand(2, 16 // 2, 8, 8)
    assert torch.equal(block(x), x)
