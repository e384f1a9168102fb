"""Multilayer perceptrons, linear maps and what only the former learn."""

from typing import get_type_hints

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nncli.models.linear import Linear
from nncli.models.mlp import ACTIVATIONS, MLP

X = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR = torch.tensor([0, 1, 1, 0])
OR = torch.tensor([0, 1, 1, 1])


def right(net: nn.Module, y: torch.Tensor) -> int:
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    for _ in range(300):
        optimizer.zero_grad()
        cross_entropy(net(X), y).backward()
        optimizer.step()
    return int((net(X).argmax(1) == y).sum())


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_learns_xor(activation: str) -> None:
    torch.manual_seed(0)
    net = MLP([2], 2, 16, 2, activation, 0.0)  # pyright: ignore[reportArgumentType]
    assert right(net, XOR) == 4


def test_signature_lists_the_activations_there_are() -> None:
    assert set(get_type_hints(MLP.__init__)["activation"].__args__) == set(ACTIVATIONS)


def test_linear_learns_or_and_cannot_learn_xor() -> None:
    torch.manual_seed(0)
    assert right(Linear([2], 2), OR) == 4
    assert right(Linear([2], 2), XOR) < 4


def test_sizes_of_the_default_digits_net() -> None:
    net = MLP([1, 8, 8], 10, 128, 2, "relu", 0.1)
    assert sum(weight.numel() for weight in net.parameters()) == 26_122
    assert net(torch.randn(5, 1, 8, 8)).shape == (5, 10)


def test_dropout_is_for_training_only() -> None:
    net = MLP([4], 2, 64, 1, "relu", 0.5)
    x = torch.randn(8, 4)
    assert not torch.equal(net(x), net(x))
    assert torch.equal(net.eval()(x), net(x))
