"""Mixtures of two samples."""

import torch

from nncli.transforms.mixup import Mixup


def test_pictures_and_labels_are_mixed_by_the_same_share() -> None:
    torch.manual_seed(0)
    x = torch.arange(512).remainder(2).float().view(-1, 1, 1, 1).expand(-1, 3, 4, 4)  # black and white in turn
    y = torch.nn.functional.one_hot(torch.arange(512).remainder(2), 5).float()
    mixed, soft = Mixup(1.0, 1.0)(x, y)
    assert torch.allclose(mixed[:, 0, 0, 0], soft[:, 1], atol=1e-6)
    assert torch.allclose(mixed.amin((1, 2, 3)), mixed.amax((1, 2, 3)))
    assert torch.allclose(soft.sum(1), torch.ones(512))
    own = (soft * y).sum(1)
    assert own.min() < 0.02
    assert own.max() > 0.98, "alpha 1 draws every share alike"
    assert 0.45 < own.mean() < 0.55


def test_a_small_alpha_leaves_most_samples_nearly_alone() -> None:
    torch.manual_seed(0)
    y = torch.eye(2).repeat(500, 1)
    own = (Mixup(0.1, 1.0)(torch.zeros(1000, 4), y)[1] * y).sum(1)
    assert ((own < 0.05) | (own > 0.95)).float().mean() > 0.7


def test_only_the_chosen_share_is_mixed() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(2000, 6), torch.eye(4).repeat(500, 1)
    mixed, soft = Mixup(1.0, 0.3)(x, y)
    stayed = (soft == y).all(1)
    assert 0.67 < stayed.float().mean() < 0.73
    assert torch.equal(mixed[stayed], x[stayed])
