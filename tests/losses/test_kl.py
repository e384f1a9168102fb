"""The divergence from a softened answer."""

import torch
from torch.nn import functional

from nncli.losses.kl import KL


def test_it_is_the_divergence_by_hand_times_the_square_of_the_temperature() -> None:
    torch.manual_seed(0)
    scores, taught = torch.randn(5, 3), torch.randn(5, 3)
    p, q = (taught / 4).softmax(1), (scores / 4).softmax(1)
    by_hand = 16 * (p * (p / q).log()).sum(1).mean()
    assert torch.allclose(KL(4.0).between(scores, taught), by_hand, atol=1e-6)
    assert float(KL(4.0).between(scores, scores)) < 1e-6


def test_for_single_classes_it_is_cross_entropy() -> None:
    torch.manual_seed(0)
    scores, y = torch.randn(5, 3), torch.tensor([0, 2, 1, 1, 0])
    assert torch.allclose(KL(1.0)(scores, y), functional.cross_entropy(scores, y))


def test_gradients_of_hot_and_cold_answers_are_of_one_size() -> None:
    torch.manual_seed(0)
    sizes = []
    for temperature in (4.0, 16.0):
        scores, taught = torch.randn(50, 10, requires_grad=True), torch.randn(50, 10)
        KL(temperature).between(scores, taught).backward()
        assert scores.grad is not None
        sizes.append(float(scores.grad.norm()))
    assert 0.8 < sizes[0] / sizes[1] < 1.25, sizes
