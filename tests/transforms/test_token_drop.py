"""Tokens made unknown."""

import torch

from nncli.transforms.token_drop import TokenDrop


def test_the_share_becomes_unknown_and_padding_stays() -> None:
    torch.manual_seed(0)
    ids = torch.randint(2, 1000, (200, 50))
    ids[:, 30:] = 0
    seen = TokenDrop(0.2)(ids)
    assert seen.dtype == torch.int64
    assert (seen[:, 30:] == 0).all()
    assert 0.18 < (seen[:, :30] == 1).float().mean() < 0.22
    kept = seen != 1
    assert torch.equal(seen[kept], ids[kept])
