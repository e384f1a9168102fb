"""Stochastic depth: who skips, and what stays on average."""

import pytest
import torch

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
