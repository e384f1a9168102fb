"""PatchTST learns, column by column, at any level."""

import pytest
import torch
from torch import Tensor

from nncli.models.patchtst import PatchTST


def made(columns: int = 2, length: int = 24, patch: int = 6, stride: int = 3, heads: int = 2) -> PatchTST:
    torch.manual_seed(0)
    return PatchTST([length, columns], 12, columns, patch, stride, 16, 1, heads, 2, 0.0, "window")


def waves() -> tuple[Tensor, Tensor]:
    t = torch.arange(200.0)
    windows = (
        torch.stack([100 + torch.sin(t * torch.pi / 6), 5 * torch.cos(t * torch.pi / 4)], dim=1).unfold(0, 36, 1).mT
    )
    return windows[:, :24], windows[:, 24:]


def trained(net: PatchTST) -> PatchTST:
    x, y = waves()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
    for _ in range(150):
        optimizer.zero_grad()
        (net(x) - y).square().mean().backward()
        optimizer.step()
    return net


def test_it_learns_waves() -> None:
    x, y = waves()
    net = trained(made())
    assert (net(x) - y).square().mean() < 0.05 * (x[:, -1:] - y).square().mean()


def test_each_column_is_forecast_from_its_own_past_at_any_level_and_scale() -> None:
    x, _ = waves()
    net = trained(made()).eval()
    both = net(x)
    other = net(torch.stack([x[..., 0], torch.randn_like(x[..., 1])], dim=2))
    assert torch.allclose(both[..., 0], other[..., 0], atol=1e-3)
    assert torch.allclose(net(3 * x + 1000), 3 * both + 1000, atol=0.1)


def test_a_constant_window_is_forecast_as_it_is() -> None:
    assert torch.allclose(made()(torch.full((2, 24, 2), 7.0)), torch.full((2, 12, 2), 7.0), atol=0.1)


def test_the_last_steps_are_in_a_patch_also_where_patches_do_not_fill_the_window() -> None:
    net = trained(made(length=24, patch=7, stride=5))
    x = torch.randn(2, 24, 2)
    changed = x.clone()
    changed[:, -1] += 5
    assert not torch.allclose(net(x), net(changed), atol=1e-2)


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.patch is 30, and a window has 24 steps"):
        made(patch=30)
    with pytest.raises(ValueError, match=r"model\.dim is 16, which is shared by model\.heads=3"):
        made(heads=3)
    with pytest.raises(ValueError, match="patchtst forecasts each column from its own past"):
        PatchTST([24, 2], 12, 1, 6, 3, 16, 1, 2, 2, 0.0, "window")
