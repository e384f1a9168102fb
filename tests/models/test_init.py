"""First weights: zeros learn nothing, Xavier and He keep the size of signals through twenty layers."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nncli.config.build import build
from nncli.config.compose import compose
from nncli.models.init import HeNormal, HeUniform, Init, Normal, XavierNormal, XavierUniform, Zeros
from nncli.models.mlp import MLP
from nncli.paths import shipped

YAMLS = sorted(path.stem for path in (shipped("conf") / "init").glob("*.yaml"))
X = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR = torch.tensor([0, 1, 1, 0])


def of_yaml(name: str) -> Init:
    config = compose([f"init={name}"])
    return build(config.tree.init, config=config)


def loss_after(init: Init, steps: int) -> float:
    torch.manual_seed(0)
    net: Any = init(MLP([2], 2, 32, 2, "tanh", 0.0))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(net(X), XOR).backward()
        optimizer.step()
    return cross_entropy(net(X), XOR).item()


def test_zeros_learn_nothing() -> None:
    assert loss_after(Zeros(0.0), 300) == pytest.approx(0.6931, abs=1e-4), "as good as guessing"


@pytest.mark.parametrize("name", [name for name in YAMLS if name != "zeros"])
def test_every_other_start_learns_xor(name: str) -> None:
    assert loss_after(of_yaml(name), 300) < 0.05


def sizes(init: Init, activation: str) -> tuple[float, float]:
    """Mean square of the first and the twentieth layer's sums, before the activation, for normal inputs."""
    torch.manual_seed(0)
    net: Any = init(MLP([512], 512, 512, 19, activation, 0.0))  # pyright: ignore[reportArgumentType]
    found, x = [], torch.randn(64, 512)
    with torch.no_grad():
        for layer in net.layers:
            x = layer(x)
            if isinstance(layer, nn.Linear):
                found.append(x.square().mean().item())
    assert len(found) == 20
    return found[0], found[-1]


@pytest.mark.parametrize("init", [HeNormal(0.0, 0.0), HeUniform(0.0, 0.0)])
def test_he_keeps_the_size_of_signals_through_twenty_relu_layers(init: Init) -> None:
    first, last = sizes(init, "relu")
    assert 0.4 < last / first < 2.5


@pytest.mark.parametrize("init", [XavierNormal(5 / 3, 0.0), XavierUniform(5 / 3, 0.0)])
def test_xavier_keeps_the_size_of_signals_through_twenty_tanh_layers(init: Init) -> None:
    first, last = sizes(init, "tanh")
    assert 0.3 < last / first < 1.5


def test_one_width_for_all_makes_signals_fade_or_grow() -> None:
    first, last = sizes(Normal(0.02, 0.0), "relu")
    assert last / first < 1e-9
    first, last = sizes(Normal(0.2, 0.0), "relu")
    assert last / first > 1e9


def test_biases_are_set_and_norms_and_embeddings_stay() -> None:
    net = nn.Sequential(nn.Embedding(3, 4), nn.Linear(4, 4), nn.LayerNorm(4), nn.LSTM(4, 4))
    looked_up = net[0].weight.clone()  # pyright: ignore[reportCallIssue]
    Zeros(0.5)(net)
    assert torch.equal(net[0].weight, looked_up)  # pyright: ignore[reportArgumentType]
    assert torch.equal(net[1].bias, torch.full((4,), 0.5))  # pyright: ignore[reportArgumentType]
    assert torch.equal(net[2].weight, torch.ones(4))  # pyright: ignore[reportArgumentType]
    assert not net[3].weight_hh_l0.any()  # pyright: ignore[reportCallIssue]


def test_default_changes_nothing() -> None:
    torch.manual_seed(0)
    net = MLP([2], 2, 4, 1, "relu", 0.0)
    before = {name: w.clone() for name, w in net.state_dict().items()}
    of_yaml("default")(net)
    assert all(torch.equal(before[name], w) for name, w in net.state_dict().items())
