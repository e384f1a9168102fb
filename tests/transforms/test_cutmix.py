"""A piece of another image."""

import torch

from nncli.transforms.cutmix import CutMix


def test_the_label_has_the_share_of_the_area_and_the_pixels_are_of_two_images() -> None:
    torch.manual_seed(0)
    x = torch.arange(512).remainder(2).float().view(-1, 1, 1, 1).expand(-1, 3, 16, 12)  # black and white in turn
    y = torch.nn.functional.one_hot(torch.arange(512).remainder(2), 5).float()
    mixed, soft = CutMix(1.0, 1.0)(x, y)
    assert ((mixed == 0) | (mixed == 1)).all()
    assert torch.allclose(mixed.mean((1, 2, 3)), soft[:, 1], atol=1e-6)
    theirs = mixed[:, 0] != x[:, 0]
    height, width = (theirs.any(side).sum(1) for side in (2, 1))
    assert torch.equal(height * width, theirs.sum((1, 2))), "one rectangle each"
    assert theirs.any(0).all(), "any pixel may be hit"
    own = (soft * y).sum(1)
    assert own.std() > 0.15, "pieces of all sizes"


def test_only_the_chosen_share_is_mixed() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(2000, 1, 16, 16), torch.eye(4).repeat(500, 1)
    mixed, soft = CutMix(1.0, 0.5)(x, y)
    stayed = (soft == y).all(1)
    assert 0.46 < stayed.float().mean() < 0.6, "a few rectangles have no pixel"
    assert torch.equal(mixed[stayed], x[stayed])
