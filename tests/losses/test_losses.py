"""Every loss by its YAML: classes and numbers are learned with it, and what sets it apart is true."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from nncli.config.build import build
from nncli.config.compose import compose
from nncli.losses.binary import Binary
from nncli.losses.focal import Focal
from nncli.models.mlp import MLP

CLASSES = ("cross_entropy", "focal", "bce")
NUMBERS = ("mse", "mae", "huber")


def of_yaml(name: str) -> nn.Module:
    config = compose([f"loss={name}", "regularization.label_smoothing=0.05"])
    return build(config.tree.loss, config=config)


def fit(net: nn.Module, loss: nn.Module, x: Tensor, y: Tensor, steps: int = 150) -> Tensor:
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()
    return net(x).detach()


def rings() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    x = torch.randn(200, 2)
    return x, (x.norm(dim=1) * 1.5).long().clamp(max=2)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("soft", [False, True], ids=["labels", "shares"])
def test_classes_are_learned(name: str, soft: bool) -> None:
    x, y = rings()
    z = fit(MLP([2], 3, 32, 1, "tanh", 0.0), of_yaml(name), x, one_hot(y, 3).float() if soft else y)
    assert (z.argmax(1) == y).float().mean() > 0.9


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_learned(name: str) -> None:
    torch.manual_seed(0)
    x = torch.linspace(-2, 2, 100)[:, None]
    y = torch.sin(2 * x)
    z = fit(MLP([1], 1, 32, 2, "tanh", 0.0), of_yaml(name), x, y, 300)
    assert (z - y).abs().mean() < 0.1


def test_mae_and_huber_are_moved_less_by_an_outlier() -> None:
    x, y = torch.ones(9, 1), torch.tensor([0.0] * 8 + [90.0])[:, None]
    answers = {name: fit(nn.Linear(1, 1), of_yaml(name), x, y, 600).mean().item() for name in NUMBERS}
    assert answers["mse"] > 5
    assert answers["mae"] == pytest.approx(0, abs=0.1)
    assert answers["huber"] < 0.5


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_focal_with_gamma_zero_is_cross_entropy(smoothing: float) -> None:
    torch.manual_seed(0)
    z, y = torch.randn(16, 5) * 3, torch.randint(5, (16,))
    wanted = cross_entropy(z, y, label_smoothing=smoothing)
    assert Focal(0.0, smoothing)(z, y) == pytest.approx(wanted.item(), rel=1e-5)
    soft = z.softmax(1).roll(1, 0)
    assert Focal(0.0, 0.0)(z, soft) == pytest.approx(cross_entropy(z, soft).item(), rel=1e-5)


def test_focal_is_the_papers_for_labels_and_weighs_what_is_right_less() -> None:
    z = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    y = torch.tensor([0, 0])
    p = z.softmax(1)[:, 0]
    assert Focal(2.0, 0.0)(z, y).item() == pytest.approx(((1 - p) ** 2 * -p.log()).mean().item(), rel=1e-5)


def test_focal_has_gradients_where_a_class_is_certain() -> None:
    for gamma in (0.0, 0.5, 2.0):
        z = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
        Focal(gamma, 0.0)(z, torch.tensor([0, 0])).backward()
        assert z.grad is not None
        assert z.grad.isfinite().all()


def test_binary_learns_that_two_classes_hold_at_once() -> None:
    torch.manual_seed(0)
    x = torch.randn(100, 2)
    both = (x > 0).float()
    z = fit(MLP([2], 2, 16, 1, "tanh", 0.0), Binary(0.0), x, both)
    assert ((z > 0).float() == both).float().mean() > 0.97


@pytest.mark.parametrize("soft", [False, True], ids=["labels", "shares"])
def test_binary_learns_two_classes_by_one_output(soft: bool) -> None:
    x, y = rings()
    y = y.clamp(max=1)
    z = fit(MLP([2], 1, 32, 1, "tanh", 0.0), of_yaml("bce"), x, one_hot(y, 2).float() if soft else y)
    assert ((z[:, 0] > 0) == y).float().mean() > 0.95
    assert Binary(0.1)(z, y) == pytest.approx(Binary(0.1)(z, one_hot(y, 2).float()).item())


def test_weighted_and_smoothed_cross_entropy_hold_back() -> None:
    x, y = rings()
    sure = fit(MLP([2], 3, 32, 1, "tanh", 0.0), nn.CrossEntropyLoss(), x, y).softmax(1).amax(1).mean()
    held = fit(MLP([2], 3, 32, 1, "tanh", 0.0), nn.CrossEntropyLoss(label_smoothing=0.2), x, y).softmax(1).amax(1)
    assert held.mean() < sure - 0.02
