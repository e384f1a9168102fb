"""Mirror images."""

import torch

from nncli.transforms.flip import Flip


def test_mirrors_exactly_the_chosen_share_each_way() -> None:
    torch.manual_seed(0)
    x = torch.randn(4000, 1, 3, 5)
    assert torch.equal(Flip(1.0, 0.0)(x), x.flip(3))
    assert torch.equal(Flip(0.0, 1.0)(x), x.flip(2))
    assert torch.equal(Flip(1.0, 1.0)(x), x.flip(2, 3))
    assert torch.equal(Flip(0.0, 0.0)(x), x)
    mirrored = (Flip(0.3, 0.0)(x) == x.flip(3)).all((1, 2, 3))
    assert 0.27 < mirrored.float().mean() < 0.33
