"""Which weights decay, how fast each layer moves, the pull of L1, and what is frozen."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import LBFGS, SGD, AdamW

from nncli.errors import NnError
from nncli.models.cnn import CNN
from nncli.models.mlp import MLP
from nncli.models.resnet import ResNet
from nncli.optim.groups import Groups, distances, hidden_weights

DECAYS = Groups(decay_vectors=False, layer_decay=1.0, l1=0.0)


def rates(net: nn.Module, groups: Groups) -> dict[str, float]:
    made = groups.make(partial(SGD, lr=1.0), net)
    of = {id(w): float(g["lr"]) for g in made.param_groups for w in g["params"]}
    return {name: of[id(w)] for name, w in net.named_parameters()}


def test_norms_and_biases_do_not_decay_and_matrices_do() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    before = {name: w.detach().clone() for name, w in net.named_parameters()}
    optimizer = DECAYS.make(partial(AdamW, lr=0.1, weight_decay=0.5), net)
    for weight in net.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    shrunk = {name for name, w in net.named_parameters() if not torch.equal(w, before[name])}
    assert shrunk == {"0.weight"}


def test_with_decay_vectors_all_decay() -> None:
    net = nn.Linear(3, 3)
    made = Groups(decay_vectors=True, layer_decay=1.0, l1=0.0).make(partial(AdamW, weight_decay=0.5), net)
    assert [group["weight_decay"] for group in made.param_groups] == [0.5]


def test_without_decay_one_group_is_enough() -> None:
    assert len(DECAYS.make(partial(AdamW, weight_decay=0.0), nn.Linear(3, 3)).param_groups) == 1


def test_each_layer_moves_slower_than_the_one_after_it() -> None:
    found = rates(MLP([4], 3, 8, 2, "relu", 0.0), Groups(False, 0.5, 0.0))
    assert found == {
        "layers.1.weight": 0.25,
        "layers.1.bias": 0.25,
        "layers.4.weight": 0.5,
        "layers.4.bias": 0.5,
        "layers.7.weight": 1.0,
        "layers.7.bias": 1.0,
    }


def test_a_norm_moves_with_its_layer_and_a_block_as_one() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ModuleList([nn.TransformerEncoderLayer(4, 2)] * 1))
    found = rates(net, Groups(False, 0.5, 0.0))
    assert {rate for name, rate in found.items() if name.startswith(("0.", "1."))} == {0.5}
    assert {rate for name, rate in found.items() if name.startswith("2.")} == {1.0}


@pytest.mark.parametrize("net", [CNN, ResNet])
def test_the_output_of_each_net_is_nearest(net: type[nn.Module]) -> None:
    made = made_net(net)
    away = distances(made)
    weights = list(made.parameters())
    assert away[id(weights[-1])] == 0
    assert away[id(weights[0])] == max(away.values()) >= 2
    assert len(away) == len(weights)


def made_net(net: type[nn.Module]) -> nn.Module:
    from nncli.config.build import build
    from nncli.config.compose import compose

    config = compose([f"model={net.__name__.lower()}"])
    return build(config.tree.model, config=config)


def test_the_shown_rate_is_the_highest() -> None:
    made = Groups(False, 0.5, 0.0).make(partial(SGD, lr=1.0), MLP([4], 3, 8, 2, "relu", 0.0))
    assert [group["lr"] for group in made.param_groups] == [1.0, 0.5, 0.25]


def test_an_optimizer_with_one_rate_is_told() -> None:
    with pytest.raises(NnError, match=r"lbfgs treats all weights alike.*regularization\.layer_decay"):
        Groups(False, 0.5, 0.0).make(partial(LBFGS), MLP([4], 3, 8, 2, "relu", 0.0))


def test_frozen_weights_stay_until_they_are_thawed() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    frozen = net[0].requires_grad_(False)
    optimizer = DECAYS.make(partial(AdamW, lr=0.1, weight_decay=0.5), net)
    first = frozen.weight.detach().clone()  # pyright: ignore[reportCallIssue]
    step(net, optimizer)
    assert torch.equal(frozen.weight, first)  # pyright: ignore[reportArgumentType]
    assert frozen.weight not in optimizer.state
    frozen.requires_grad_(True)
    step(net, optimizer)
    assert not torch.equal(frozen.weight, first)  # pyright: ignore[reportArgumentType]


def step(net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    net(torch.ones(1, 2)).square().sum().backward()
    optimizer.step()


def test_l1_drives_a_useless_weight_to_zero_and_keeps_a_useful_one() -> None:
    torch.manual_seed(0)
    x = torch.randn(200, 2)
    net = nn.Linear(2, 1)
    groups = Groups(decay_vectors=False, layer_decay=1.0, l1=0.05)
    optimizer = groups.make(partial(SGD, lr=0.05), net)
    nn.init.ones_(net.weight)
    for _ in range(300):
        optimizer.zero_grad()
        (net(x).squeeze(1) - 2 * x[:, 0]).square().mean().backward()
        groups.pull(net)
        optimizer.step()
    useful, useless = net.weight.detach()[0].abs().tolist()
    assert useless < 0.003
    assert useful == pytest.approx(2, abs=0.06)


def test_hidden_are_the_matrices_between_embedding_and_output() -> None:
    net = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 6), nn.Conv1d(1, 1, 3), nn.Linear(6, 2))
    assert [tuple(w.shape) for w in hidden_weights(net)] == [(6, 4), (1, 1, 3)]
