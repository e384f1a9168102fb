"""Rectangular holes of any size and shape."""

import pytest
import torch

from nncli.transforms.erase import Erase


def test_the_erased_area_is_the_share_asked_for_and_the_hole_a_rectangle_inside() -> None:
    torch.manual_seed(0)
    holes = Erase([0.1, 0.3], 2.0, 1.0)(torch.ones(2000, 2, 40, 60)) == 0
    shares = holes.float().mean((1, 2, 3))
    assert 0.09 < shares.min() < 0.12
    assert 0.28 < shares.max() < 0.31
    assert torch.equal(holes[:, 0], holes[:, 1]), "the same in all channels"
    height, width = (holes[:, 0].any(side).sum(1) for side in (2, 1))
    assert torch.equal(height * width, holes[:, 0].sum((1, 2))), "no hole is cut off or broken"
    form = height / width
    assert 0.45 < form.min() < 0.6
    assert 1.7 < form.max() < 2.2
    assert (holes[:, 0].float().mean(0) > 0).all(), "any pixel may be hit"


def test_only_the_chosen_share_of_images_gets_a_hole() -> None:
    torch.manual_seed(0)
    hit = (Erase([0.1, 0.3], 1.0, 0.25)(torch.ones(4000, 1, 8, 8)) == 0).flatten(1).any(1)
    assert 0.22 < hit.float().mean() < 0.28
    assert not (Erase([0.1, 0.3], 1.0, 0.0)(torch.ones(10, 1, 8, 8)) == 0).any()


def test_shares_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match=r"such as \[0.02, 0.33\], not \[0.5, 0.1\]"):
        Erase([0.5, 0.1], 1.0, 1.0)
