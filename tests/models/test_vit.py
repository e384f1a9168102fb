"""The vision transformer against the published sizes, on real digits, and that it needs its positions."""

from typing import Literal

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nncli.errors import NnError
from nncli.models.vit import Attention, ViT


@pytest.mark.parametrize(
    ("patch", "dim", "depth", "heads", "count"),
    [
        (16, 384, 12, 6, 22_050_664),
        (16, 768, 12, 12, 86_567_656),
        (32, 768, 12, 12, 88_224_232),
        (16, 1024, 24, 16, 304_326_632),
    ],
)
def test_parameters_are_the_published_ones(patch: int, dim: int, depth: int, heads: int, count: int) -> None:
    with torch.device("meta"):
        net = ViT([3, 224, 224], 1000, patch, dim, depth, heads, 4, "cls", 0.0, 0.0)
    assert sum(weight.numel() for weight in net.parameters()) == count


@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize(("shape", "patch"), [([3, 32, 32], 4), ([3, 224, 224], 16), ([1, 8, 12], 2)])
def test_takes_pictures_of_any_size(shape: list[int], patch: int, pool: Literal["cls", "mean"]) -> None:
    net = ViT(shape, 10, patch, 8, 1, 2, 2, pool, 0.1, 0.1)
    assert net.train()(torch.randn(2, *shape)).shape == (2, 10)


def test_attention_is_that_of_torch() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True)
    assert theirs.in_proj_bias is not None
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = ours.qkv.weight.data, ours.qkv.bias.data
    theirs.out_proj.load_state_dict(ours.out.state_dict())
    x = torch.randn(2, 5, 12)
    assert torch.allclose(ours(x), theirs(x, x, x, need_weights=False)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "patch", "dim", "told"),
    [
        (
            [3, 30, 32],
            4,
            8,
            r"patches of 4x4 pixels, and input_shape \[3, 30, 32\].*choose a model\.patch that divides",
        ),
        ([3, 8, 8], 16, 8, r"patches of 16x16 pixels, and input_shape \[3, 8, 8\]"),
        ([13], 1, 8, r"model=vit takes pictures .*\[13\]"),
        ([3, 32, 32], 4, 9, r"splits model\.dim=9 among model\.heads=2"),
    ],
)
def test_what_cannot_be_cut_is_told(shape: list[int], patch: int, dim: int, told: str) -> None:
    with pytest.raises(NnError, match=told):
        ViT(shape, 10, patch, dim, 1, 2, 2, "mean", 0.0, 0.0)


@pytest.mark.parametrize(("zero", "steps", "low", "high"), [(False, 150, 0.9, 1.0), (True, 20, 0.0, 0.2)])
def test_reads_digits_unless_all_weights_are_zero(zero: bool, steps: int, low: float, high: float) -> None:
    from sklearn.datasets import load_digits

    torch.manual_seed(0)
    x, y = (torch.tensor(a) for a in load_digits(return_X_y=True))
    mixed = torch.randperm(len(y))
    x, y = x[mixed].float().view(-1, 1, 8, 8) / 6 - 0.8, y[mixed]
    net = ViT([1, 8, 8], 10, 2, 48, 2, 3, 2, "mean", 0.0, 0.0)
    if zero:
        for weight in net.parameters():
            nn.init.zeros_(weight)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 3e-3 * min(1, (step + 1) / 10) * (1 - step / steps)
        rows = torch.randint(1400, (64,))
        optimizer.zero_grad()
        cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
    right = (net(x[1400:]).argmax(1) == y[1400:]).float().mean().item()
    assert low < right <= high, right


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_knows_where_a_patch_is_by_its_position_only(pool: Literal["cls", "mean"]) -> None:
    torch.manual_seed(0)
    net = ViT([1, 8, 8], 4, 2, 16, 2, 2, 2, pool, 0.0, 0.0).eval()
    x = torch.randn(2, 1, 8, 8)
    moved = x.roll(4, dims=2)  # whole patches change places
    assert not torch.allclose(net(x), net(moved), atol=1e-4)
    nn.init.zeros_(net.position)
    assert torch.allclose(net(x), net(moved), atol=1e-5)
