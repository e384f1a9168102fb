"""Stochastic depth: who skips, and what stays on average."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nncli.models.drop_path import DropPath, rates


def test_samples_skip_as_a_whole_and_the_mean_stays() -> None:
    torch.manual_seed(0)
    y = DropPath(0.25)(torch.ones(4000, 2, 3))
    assert torch.equal(y.amin((1, 2)), y.amax((1, 2)))
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert y.mean().item() == pytest.approx(1, abs=0.03)


def test_nothing_is_dropped_outside_training() -> None:
    x = torch.randn(8, 3)
    assert torch.equal(DropPath(0.9).eval()(x), x)
    assert torch.equal(DropPath(0.0)(x), x)


def test_rates_rise_to_the_last_block() -> None:
    assert rates(0.2, 5) == pytest.approx([0.0, 0.05, 0.1, 0.15, 0.2])
    assert rates(0.2, 1) == [0.0]


class Blocks(nn.Module):
    """A perceptron of four residual blocks."""

    def __init__(self, drop_path: float) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 16), nn.Linear(16, 2)
        blocks = [nn.Sequential(nn.Linear(16, 16), nn.ReLU(), DropPath(rate)) for rate in rates(drop_path, 4)]
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)


def test_a_net_whose_blocks_are_skipped_learns_what_one_without_blocks_cannot() -> None:
    torch.manual_seed(0)
    x = torch.randn(300, 2)
    y = (x.norm(dim=1) > 1.2).long()
    net = Blocks(0.5)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        cross_entropy(net(x), y).backward()
        optimizer.step()
    net.eval()
    assert (net(x).argmax(1) == y).float().mean() > 0.95
    net.blocks = nn.ModuleList()
    assert (net(x).argmax(1) == y).float().mean() < 0.8
