"""Recurrent nets that forecast: what they learn, and what they make of levels they have never seen."""

from typing import Literal

import pytest
import torch
from torch import Tensor

from nncli.models.recurrent_forecast import RecurrentForecast

Cell = Literal["rnn", "lstm", "gru"]
Normalize = Literal["none", "last", "window"]


def made(cell: Cell = "lstm", normalize: Normalize = "last", columns: int = 1, depth: int = 1) -> RecurrentForecast:
    torch.manual_seed(0)
    return RecurrentForecast([12, columns], 3, 1, cell, 24, depth, 0.0, normalize)


def windows(series: Tensor) -> tuple[Tensor, Tensor]:
    """Windows (N, 12, F), and the three steps of the first column after each."""
    found = series.unfold(0, 15, 1).mT
    return found[:, :12], found[:, 12:, :1]


def wave(level: float = 0.0) -> Tensor:
    return level + torch.sin(torch.arange(120.0) * torch.pi / 5)[:, None]


def error(net: RecurrentForecast, series: Tensor, steps: int = 0) -> float:
    """The squared error after some steps of training, as a fraction of that of the last value."""
    x, y = windows(series)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        (net(x) - y).square().mean().backward()
        optimizer.step()
    return ((net(x) - y).square().mean() / (x[:, -1:, :1] - y).square().mean()).item()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("normalize", ["none", "last", "window"])
def test_each_cell_learns_a_wave(cell: Cell, normalize: Normalize) -> None:
    assert error(made(cell, normalize), wave(), steps=120) < 0.05


def test_only_normalized_windows_are_forecast_at_another_level() -> None:
    cases: list[tuple[Normalize, float, float]] = [("none", 1, 1e9), ("last", 0, 0.05), ("window", 0, 0.05)]
    for normalize, low, high in cases:
        net = made("gru", normalize)
        error(net, wave(), steps=120)
        assert low <= error(net, wave(level=100)) <= high, normalize


def test_further_columns_are_used() -> None:
    torch.manual_seed(1)
    driver = torch.randn(400)
    series = torch.stack([torch.zeros_like(driver), driver], dim=1)
    series[1:, 0] = driver[:-1]  # what comes next is in the other column only
    x, y = windows(series)
    y = y[:, :1].expand(-1, 3, -1)
    net = made("gru", "none", columns=2)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        (net(x) - y).square().mean().backward()
        optimizer.step()
    assert (net(x) - y).square().mean() < 0.1


def test_a_constant_window_is_no_division_by_zero() -> None:
    net = made(normalize="window")
    assert net(torch.full((2, 12, 1), 7.0)).isfinite().all()
