"""Pruned nets: what is removed is what matters least, the rest fits together, and removed weights do not come back."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from nncli.errors import NnError
from nncli.models.cnn import CNN
from nncli.models.linear import Linear
from nncli.models.mlp import MLP
from nncli.models.pruned import Pruned
from nncli.models.resnet import ResNet
from nncli.models.tokens import BagOfTokens
from nncli.models.vit import ViT
from nncli.optim.groups import distances, hidden_weights
from nncli.optim.muon import Muon
from tests.models.conftest import Learned

PICTURE = [1, 12, 12]


def cnn() -> nn.Module:
    return CNN(PICTURE, 2, [8, 16], 16, "batch", "same", "flatten", 0.0)


def mlp() -> nn.Module:
    return MLP([6], 3, 20, 2, "relu", 0.0)


def vit() -> nn.Module:
    return ViT(PICTURE, 3, 4, 16, 2, 2, 2.0, "cls", 0.0, 0.0)


def weights(net: nn.Module) -> int:
    return sum(weight.numel() for weight in net.parameters())


@pytest.mark.parametrize(
    ("make", "shape", "left"),
    [
        (cnn, PICTURE, 0.26),
        (mlp, [6], 0.36),
        (lambda: ResNet([3, 8, 8], 4, 18, "cifar", 8, 0.0, False), [3, 8, 8], 0.25),
        (vit, PICTURE, 0.79),
        (lambda: BagOfTokens(30, 3, 8, 8, 0.0), [5], 0.86),
    ],
)
def test_a_net_loses_half_of_its_channels_and_can_be_rebuilt(
    make: Callable[[], nn.Module], shape: list[int], left: float
) -> None:
    whole = make()
    net = Pruned(make(), shape, 0.5, structured=True)
    assert weights(net) / weights(whole) == pytest.approx(left, abs=0.02)
    net.derive(whole)
    again = Pruned(make(), shape, 0.5, structured=True)
    again.load_state_dict(net.state_dict())
    x = torch.randn(2, *shape) if shape != [5] else torch.randint(30, (2, 5))
    assert torch.equal(again.eval()(x), net.eval()(x))
    net.train()(x).sum().backward()


def test_what_never_counts_is_removed_first() -> None:
    whole = MLP([6], 3, 20, 1, "relu", 0.0)
    first, last = (layer for layer in whole.modules() if isinstance(layer, nn.Linear))
    with torch.no_grad():
        first.weight[1::2] = first.bias[1::2] = 0
        last.weight[:, 1::2] = 0
    x = torch.randn(5, 6)
    wanted = whole(x)
    net = Pruned(MLP([6], 3, 20, 1, "relu", 0.0), [6], 0.5, structured=True)
    assert net.derive(whole) == "pruned from 203 to 103 weights"
    assert torch.allclose(net(x), wanted, atol=1e-6)


def test_a_pruned_net_recovers_when_it_is_trained(learned: Learned) -> None:
    torch.manual_seed(0)
    whole = cnn()
    assert learned(whole, 12, 120, 0.01)[1] > 0.9
    net = Pruned(cnn(), PICTURE, 0.7, structured=True)
    net.derive(whole)
    assert learned(net, 12, 60, 0.01)[1] > 0.9


def test_single_weights_remain_zero_whatever_the_optimizer_does() -> None:
    torch.manual_seed(0)
    net = Pruned(mlp(), [6], 0.8, structured=False)
    assert net.derive(mlp()).startswith("pruned from 623 to 159 weights")
    zero = {name: (tensor == 0).clone() for name, tensor in matrices(net).items()}
    assert sum(int(mask.sum()) for mask in zero.values()) == 464  # 0.8 of the 580 in matrices
    settings = {"momentum": 0.9, "nesterov": True, "iterations": 5, "adam_lr": 0.1, "betas": [0.9, 0.9], "eps": 1e-8}
    groups = [{"params": hidden_weights(net), "hidden": True}]
    optimizer = Muon(groups, lr=0.1, weight_decay=0.1, renormalize=False, **settings)
    for _ in range(3):
        net(torch.randn(4, 6)).square().sum().backward()
        optimizer.step()
    after = matrices(net)
    assert all((after[name][mask] == 0).all() and (after[name][~mask] != 0).all() for name, mask in zero.items())


def matrices(net: nn.Module) -> dict[str, torch.Tensor]:
    return {name: layer.weight.detach() for name, layer in net.named_modules() if isinstance(layer, nn.Linear)}


def test_layers_are_counted_as_in_the_net_itself() -> None:
    whole = vit()
    net = Pruned(copy.deepcopy(whole), PICTURE, 0.5, structured=True)
    assert list(distances(net).values()) == list(distances(whole).values())
    assert len(hidden_weights(net)) == len(hidden_weights(whole))


@pytest.mark.parametrize("structured", [True, False])
def test_a_net_without_anything_to_remove_is_refused(structured: bool) -> None:
    with pytest.raises(NnError, match="has no"):
        Pruned(Linear([4], 2) if structured else nn.Flatten(), [4], 0.5, structured)


def test_a_net_that_cannot_be_followed_is_refused() -> None:
    class Odd(nn.Module):
        """Adds to its channels what is no weight."""

        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 2)
            self.register_buffer("shift", torch.ones(8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(self.a(x) + self.shift)

    with pytest.raises(NnError, match="the channels of Odd cannot be pruned; set structured to false"):
        Pruned(Odd(), [4], 0.5, structured=True)
