"""Rotation, shift, zoom and shear."""

import math

import pytest
import torch
from torch import Tensor

from nncli.transforms.affine import Affine, sheared, turned, warp

HERE = torch.zeros(1, 2)
SAME = torch.eye(2)[None]


def picture() -> Tensor:
    return torch.randn(1, 3, 6, 10, generator=torch.Generator().manual_seed(0))


def test_quarter_turns_of_squares_are_exact() -> None:
    x = torch.randn(1, 2, 7, 7)
    for quarters in (1, 2, 3):
        seen = warp(x, turned(torch.tensor([math.pi / 2 * quarters])), HERE)
        assert torch.allclose(seen, x.rot90(quarters, (2, 3)), atol=1e-4)
    x = picture()
    assert torch.allclose(warp(x, turned(torch.tensor([math.pi])), HERE), x.flip(2, 3), atol=1e-4), "oblong too"


def test_shifts_are_in_pixels_right_and_down_and_zeros_move_in() -> None:
    x = picture()
    seen = warp(x, SAME, torch.tensor([[3.0, 2.0]]))
    wanted = x.roll((2, 3), (2, 3))
    wanted[:, :, :2] = 0
    wanted[:, :, :, :3] = 0
    assert torch.allclose(seen, wanted, atol=1e-4)
    assert torch.allclose(warp(x, SAME, torch.tensor([[100.0, 0.0]]), fill=7.0), torch.full_like(x, 7.0))


def test_a_shear_slides_rows_by_their_distance_from_the_middle() -> None:
    x = torch.zeros(1, 1, 5, 9)
    x[..., 4] = 1  # an upright line
    seen = warp(x, sheared(torch.tensor([1.0]), torch.tensor([0.0])), HERE)[0, 0].argmax(1)
    assert seen.tolist() in ([2, 3, 4, 5, 6], [6, 5, 4, 3, 2])


def test_zoom_makes_things_larger_by_the_factor() -> None:
    x = torch.zeros(300, 1, 33, 33)
    x[:, :, 12:21, 12:21] = 1  # 81 pixels
    torch.manual_seed(0)
    areas = Affine(0.0, 0.0, [2.0, 2.0], 0.0)(x).sum((1, 2, 3))
    assert areas == pytest.approx(torch.full((300,), 4 * 81.0), rel=0.02)
    areas = Affine(0.0, 0.0, [0.5, 2.0], 0.0)(x).sum((1, 2, 3)) / 81
    assert 0.2 < areas.min() < 0.35 < 3.0 < areas.max() < 4.1
    assert 0.4 < (areas > 1).float().mean() < 0.6, "as often larger as smaller"


def test_turns_reach_as_far_as_they_may_and_no_further() -> None:
    x = torch.zeros(500, 1, 41, 41)
    x[:, :, 20, 20:] = 1  # a ray to the right
    torch.manual_seed(0)
    seen = Affine(30.0, 0.0, [1.0, 1.0], 0.0)(x)
    place = torch.arange(41.0) - 20
    down, right = (seen[:, 0].sum(side) @ place for side in (2, 1))
    degrees = torch.rad2deg(torch.atan2(-down, right))
    assert -30.5 < degrees.min() < -27
    assert 27 < degrees.max() < 30.5


def test_nothing_to_do_does_nothing() -> None:
    x = picture()
    assert torch.allclose(Affine(0.0, 0.0, [1.0, 1.0], 0.0)(x), x, atol=1e-5)


def test_a_zoom_from_large_to_small_is_refused() -> None:
    with pytest.raises(ValueError, match=r"such as \[0.9, 1.1\], not \[2, 1\]"):
        Affine(0.0, 0.0, [2, 1], 0.0)
