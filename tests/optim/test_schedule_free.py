"""Schedule-free AdamW beside its paper's algorithm 1, in plain Python; and as it is used, without a schedule."""

from functools import partial
from math import sqrt

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW, Optimizer

from nncli.models.mlp import MLP
from nncli.optim.groups import Groups
from nncli.optim.schedule import Constant, WarmupCosine
from nncli.optim.schedule_free import ScheduleFree

LR, ONE, TWO, EPS, DECAY, WARMUP = 0.05, 0.9, 0.99, 1e-8, 0.1, 5
CURVE = (1.0, 10.0, 0.1)


def by_hand(start: list[float], steps: int) -> tuple[list[float], list[float]]:
    """(x, y) after so many steps."""
    x, y, z, v = list(start), list(start), list(start), [0.0] * len(start)
    total = 0.0
    for t in range(1, steps + 1):
        rate = LR * sqrt(1 - TWO**t) * min(1, t / WARMUP)
        total += rate**2
        for i, bend in enumerate(CURVE):
            g = bend * y[i]
            v[i] = TWO * v[i] + (1 - TWO) * g**2
            z[i] -= rate * g / (sqrt(v[i]) + EPS) + rate * DECAY * y[i]
            x[i] = (1 - rate**2 / total) * x[i] + rate**2 / total * z[i]
            y[i] = (1 - ONE) * z[i] + ONE * x[i]
    return x, y


def test_is_the_papers_on_a_quadratic() -> None:
    start = [1.0, -0.62, 3.0]
    w = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = ScheduleFree([w], lr=LR, betas=(ONE, TWO), eps=EPS, weight_decay=DECAY)
    schedule = Constant(optimizer, 20, WARMUP)
    for step in range(1, 21):
        optimizer.zero_grad()
        (torch.tensor(CURVE, dtype=torch.float64) * w.square() / 2).sum().backward()
        optimizer.step()
        schedule.step()
        x, y = by_hand(start, step)
        assert w.tolist() == pytest.approx(y, rel=1e-9)
        assert optimizer.averages()[w].tolist() == pytest.approx(x, rel=1e-9)


def digits() -> tuple[Tensor, Tensor]:
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x, dtype=torch.float32) / 16, torch.tensor(y)


def accuracy(optimizer: partial[Optimizer], cosine: bool) -> float:
    """On a third of the digits, after 300 small batches of the rest."""
    torch.manual_seed(0)
    x, y = digits()
    net = MLP([64], 10, 64, 1, "relu", 0.0)
    made = Groups(decay_vectors=False, layer_decay=1.0, l1=0.0).make(optimizer, net)
    schedule = WarmupCosine(made, 300, 0.05, 0.0) if cosine else Constant(made, 300, 0.05)
    for _ in range(300):
        some = torch.randint(1200, (32,))
        made.zero_grad()
        cross_entropy(net(x[some]), y[some]).backward()
        made.step()
        schedule.step()
    with torch.no_grad():
        for weight, mean in made.averages().items() if isinstance(made, ScheduleFree) else ():
            weight.copy_(mean)
        return (net(x[1200:]).argmax(1) == y[1200:]).float().mean().item()


def test_learns_digits_without_a_schedule_as_well_as_adamw_with_a_cosine() -> None:
    free = accuracy(partial(ScheduleFree, lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01), cosine=False)
    assert free > accuracy(partial(AdamW, lr=0.01, weight_decay=0.01), cosine=True) - 0.01
    assert free > 0.9


def test_a_rate_that_falls_to_nothing_leaves_the_average_as_it_is() -> None:
    w = nn.Parameter(torch.ones(2))
    optimizer = ScheduleFree([w], lr=0.1, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    before = []
    for rate in (0.0, 0.1, 0.0):
        optimizer.param_groups[0]["lr"] = rate
        w.grad = torch.ones(2)
        optimizer.step()
        before.append(optimizer.averages()[w].clone())
    assert before[0].tolist() == [1, 1]
    assert before[1].tolist() == pytest.approx([0.9, 0.9])
    assert torch.equal(before[1], before[2])


def test_a_weight_thawed_later_has_an_average_of_its_own() -> None:
    early, late = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = ScheduleFree([early, late], lr=0.1, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    for step in range(30):
        early.grad = torch.ones(2)
        late.grad = torch.ones(2) if step == 29 else None
        assert (late in optimizer.averages()) == (step > 29)
        optimizer.step()
    assert optimizer.averages()[late].tolist() == pytest.approx([0.9, 0.9]), "its first step is a whole one"


def test_groups_have_their_own_rate_and_decay() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = partial(ScheduleFree, lr=0.1, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.5)
    made = Groups(decay_vectors=False, layer_decay=0.5, l1=0.0).make(optimizer, net)
    before = {name: w.detach().clone() for name, w in net.named_parameters()}
    for weight in net.parameters():
        weight.grad = torch.zeros_like(weight)
    made.step()
    shrunk = {name: (w / before[name]).mean().item() for name, w in net.named_parameters()}
    rate = 0.1 * sqrt(1 - 0.999)
    wanted = {"0.weight": 1 - rate * 0.5 * 0.5, "0.bias": 1, "1.weight": 1 - rate * 0.5, "1.bias": 1}
    assert shrunk == pytest.approx(wanted)
