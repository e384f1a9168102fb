"""Every optimizer YAML: it learns digits, and goes on from its saved state as if nothing had been."""

import copy
from functools import cache

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from nncli.config.build import build
from nncli.config.compose import compose
from nncli.models.mlp import MLP
from nncli.optim.groups import Groups
from nncli.paths import shipped

YAMLS = sorted(path.stem for path in (shipped("conf") / "optimizer").glob("*.yaml"))


@cache
def digits() -> tuple[Tensor, Tensor]:
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x[:512], dtype=torch.float32) / 16, torch.tensor(y[:512])


def made(name: str) -> tuple[MLP, Optimizer]:
    config = compose([f"optimizer={name}"])
    torch.manual_seed(0)
    net = MLP([64], 10, 32, 2, "tanh", 0.0)
    groups = Groups(decay_vectors=False, layer_decay=1.0, l1=0.0)
    return net, groups.make(build(config.tree.optimizer, config=config), net)


def train(net: MLP, optimizer: Optimizer, steps: int) -> None:
    x, y = digits()

    def closure() -> float:
        optimizer.zero_grad()
        loss = cross_entropy(net(x), y)
        loss.backward()
        return loss.item()

    for _ in range(steps):
        optimizer.step(closure)


@pytest.mark.parametrize("name", YAMLS)
def test_learns_digits(name: str) -> None:
    x, y = digits()
    net, optimizer = made(name)
    before = cross_entropy(net(x), y).item()
    train(net, optimizer, 30 if name == "lbfgs" else 200)
    assert before > 2.2
    assert cross_entropy(net(x), y).item() < (1.8 if name == "adadelta" else 1.0)


@pytest.mark.parametrize("name", YAMLS)
def test_goes_on_from_its_state_as_if_nothing_had_been(name: str) -> None:
    straight, optimizer = made(name)
    train(straight, optimizer, 5)
    weights, state = copy.deepcopy((straight.state_dict(), optimizer.state_dict()))
    train(straight, optimizer, 5)
    resumed, later = made(name)
    resumed.load_state_dict(weights)
    later.load_state_dict(state)
    train(resumed, later, 5)
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), resumed.parameters(), strict=True))


COUPLED = ("adam", "rmsprop", "adagrad", "adadelta")
DECOUPLED = ("adamw", "nadam", "radam", "lion", "muon", "schedule_free", "adafactor")


@pytest.mark.parametrize("name", COUPLED + DECOUPLED)
def test_decay_apart_from_the_gradient_shrinks_all_weights_by_the_same_share(name: str) -> None:
    """Decay in the gradient is divided by the gradient's size, as the rest of it: small weights shrink by more."""
    config = compose([f"optimizer={name}", "regularization.weight_decay=0.1"])
    weight = torch.nn.Parameter(torch.tensor([[1.0, 10.0]]))
    optimizer = build(config.tree.optimizer, config=config)([weight])
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    small, large = (1 - weight.detach()[0] / torch.tensor([1.0, 10.0])).tolist()
    assert small > 0
    if name in DECOUPLED:
        assert small == pytest.approx(large, rel=0.01)
    else:
        assert small > 3 * large


def test_there_is_a_yaml_for_every_row() -> None:
    rows = "sgd momentum nesterov adagrad rmsprop adadelta adam adamw nadam radam lbfgs lion muon schedule_free"
    assert set(rows.split()) <= set(YAMLS)
