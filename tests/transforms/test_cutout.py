"""A square hole."""

import torch

from nncli.transforms.cutout import Cutout


def test_a_square_of_the_side_is_zero_and_less_only_at_the_edge() -> None:
    torch.manual_seed(0)
    holes = Cutout(0.5, 1.0)(torch.ones(2000, 3, 32, 32)) == 0
    sizes = holes[:, 0].sum((1, 2))
    assert sizes.max() == 16 * 16
    assert sizes.min() >= 8 * 8, "the middle of a hole lies in the image"
    inside = ~(holes[:, 0, 0].any(1) | holes[:, 0, -1].any(1) | holes[:, 0, :, 0].any(1) | holes[:, 0, :, -1].any(1))
    assert inside.any()
    assert (sizes[inside] == 256).all()
    assert torch.equal(holes[:, 0], holes[:, 2])
    assert holes[:, 0].any(0).all(), "any pixel may be hit"


def test_only_the_chosen_share_of_images_gets_a_hole() -> None:
    torch.manual_seed(0)
    hit = (Cutout(0.5, 0.25)(torch.ones(4000, 1, 8, 8)) == 0).flatten(1).any(1)
    assert 0.22 < hit.float().mean() < 0.28
