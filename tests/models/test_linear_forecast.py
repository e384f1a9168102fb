"""DLinear: a trend and what remains. (NLinear is tested with its task.)"""

import pytest
import torch
from torch import nn

from nncli.models.linear_forecast import DLinear


def test_it_learns_a_trend_with_a_season() -> None:
    torch.manual_seed(0)
    t = torch.arange(300.0)
    series = torch.stack([t / 100 + torch.sin(t * torch.pi / 6), -t / 50 + torch.cos(t * torch.pi / 6)], dim=1)
    windows = series.unfold(0, 36, 1).mT
    x, y = windows[:, :24], windows[:, 24:]
    net = DLinear([24, 2], 12, 2, kernel=12)
    assert not net(x).any(), "untrained, it forecasts the mean, which is 0 in standard units"
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(400):
        optimizer.zero_grad()
        (net(x) - y).square().mean().backward()
        optimizer.step()
    assert (net(x) - y).square().mean() < 0.01 * (x[:, -1:] - y).square().mean()


@pytest.mark.parametrize("kernel", [1, 4, 25])
def test_trend_and_remainder_are_the_whole_window(kernel: int) -> None:
    net = DLinear([10, 1], 10, 1, kernel)
    for layer in (net.trend, net.remainder):
        nn.init.eye_(layer.weight)
    x = torch.randn(3, 10, 1)
    assert torch.allclose(net(x), x, atol=1e-6)


def test_columns_that_are_not_forecast_are_refused() -> None:
    with pytest.raises(ValueError, match="dlinear forecasts each column from its own past"):
        DLinear([10, 2], 5, 1, 3)
