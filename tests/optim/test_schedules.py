"""Every schedule beside torch's own or the paper's formula, and every YAML of one."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch.optim import SGD, lr_scheduler

from nncli.config.build import build
from nncli.config.compose import compose
from nncli.optim.cycles import CosineRestarts, Cyclic, OneCycle
from nncli.optim.schedule import (
    Constant,
    Exponential,
    InverseSqrt,
    Linear,
    MultiStep,
    Step,
    Trapezoid,
    WarmupCosine,
)
from nncli.optim.updates import Updates
from nncli.paths import shipped

PEAK = 2.0
YAMLS = sorted(path.stem for path in (shipped("conf") / "scheduler").glob("*.yaml"))
Make = Callable[[SGD], Any]


def rates(make: Make, steps: int) -> list[float]:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    schedule = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return found


TORCH: dict[str, tuple[Make, Make]] = {
    "constant": (lambda o: Constant(o, 50, 0), lambda o: lr_scheduler.ConstantLR(o, 1.0, 0)),
    "cosine": (lambda o: WarmupCosine(o, 50, 0, 0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, 50, 0.1 * PEAK)),
    "linear": (lambda o: Linear(o, 50, 0, 0.1), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.1, 50)),
    "exponential": (lambda o: Exponential(o, 50, 0, 0.01), lambda o: lr_scheduler.ExponentialLR(o, 0.01 ** (1 / 50))),
    "step": (lambda o: Step(o, 50, 0, 0.2, 0.5), lambda o: lr_scheduler.StepLR(o, 10, 0.5)),
    "multistep": (
        lambda o: MultiStep(o, 50, 0, [0.3, 40], 0.1),
        lambda o: lr_scheduler.MultiStepLR(o, [15, 40], 0.1),
    ),
    "restarts": (
        lambda o: CosineRestarts(o, 70, 0, 3, 2.0, 0.1),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 10, 2, 0.1 * PEAK),
    ),
    "cyclic": (
        lambda o: Cyclic(o, 50, 0, 5, 0.1, 0.5),
        lambda o: lr_scheduler.CyclicLR(o, 0.1 * PEAK, PEAK, 5, mode="triangular2", cycle_momentum=False),
    ),
    "one_cycle": (
        lambda o: OneCycle(o, 50, 0, 0.3, 0.04, 4e-6),
        lambda o: lr_scheduler.OneCycleLR(o, PEAK, 50, pct_start=0.3, cycle_momentum=False),
    ),
    "inverse_sqrt": (
        lambda o: InverseSqrt(o, 50, 10),
        lambda o: lr_scheduler.LambdaLR(o, lambda s: (s + 1) / 10 if s < 10 else math.sqrt(10 / s)),
    ),
    "trapezoid": (
        lambda o: Trapezoid(o, 50, 0.1, 0.2, 0.0),
        lambda o: lr_scheduler.LambdaLR(o, lambda s: min((s + 1) / 5, 1.0, (50 - s) / 10)),
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_is_torchs_own_or_the_formula(name: str) -> None:
    mine, theirs = TORCH[name]
    steps = 70 if name == "restarts" else 50
    assert rates(mine, steps) == pytest.approx(rates(theirs, steps), rel=1e-5, abs=1e-9)


def of_yaml(name: str, *words: str) -> Make:
    config = compose([f"scheduler={name}", *words])
    made = build(config.tree.scheduler, config=config)
    return lambda optimizer: made(optimizer, total_steps=100)


@pytest.mark.parametrize("name", [name for name in YAMLS if name != "plateau"])
def test_each_yaml_with_a_warmup_in_front_stays_below_the_peak_and_can_go_on(name: str) -> None:
    make = of_yaml(name, "scheduler.warmup=10")
    found = rates(make, 120)
    assert all(later > earlier for earlier, later in pairwise(found[:10])), "a rise of ten steps"
    assert max(found) <= PEAK * (1 + 1e-9)
    assert max(found) == pytest.approx(PEAK, rel=0.02)
    assert len(set(found[100:])) == 1, "after the end the rate stays where it is"
    if name not in ("constant", "inverse_sqrt"):
        assert found[-1] < PEAK * 0.2
    halfway = make(SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK))
    halfway.load_state_dict({"last_epoch": 60, "_step_count": 61})
    assert halfway.optimizer.param_groups[0]["lr"] == found[60]


@pytest.mark.parametrize("name", YAMLS)
def test_descent_at_each_yamls_rates_finds_the_lowest_point(name: str) -> None:
    config = compose([f"scheduler={name}"])
    weight = torch.nn.Parameter(torch.tensor([4.0, -2.0]))
    optimizer = SGD([weight], lr=0.2)
    updates = Updates(SGD, build(config.tree.scheduler, config=config))
    schedule: Any = updates.schedule(optimizer, total_steps=100, mode="min")
    for _ in range(100):
        optimizer.zero_grad()
        loss = (torch.tensor([1.0, 3.0]) * weight.square()).sum()
        loss.backward()
        optimizer.step()
        schedule.step(*([loss.item()] if name == "plateau" else []))
    assert weight.abs().max() < 1e-3


@pytest.mark.parametrize("name", [name for name in YAMLS if name != "plateau"])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_the_shortest_runs_have_a_rate(name: str, total: int) -> None:
    config = compose([f"scheduler={name}"])
    made = build(config.tree.scheduler, config=config)
    assert all(0 <= rate <= PEAK * (1 + 1e-9) for rate in rates(lambda o: made(o, total_steps=total), total + 2))


def test_there_is_a_yaml_for_every_row() -> None:
    rows = "constant step multistep exponential cosine cosine_restarts plateau cyclic one_cycle linear inverse_sqrt"
    assert {*rows.split(), "trapezoid", "warmup_cosine"} <= set(YAMLS)


def test_each_layers_own_rate_is_scaled_alike() -> None:
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = SGD([{"params": [weights[0]], "lr": 1.0}, {"params": [weights[1]], "lr": 0.1}])
    schedule = Linear(optimizer, 10, 0, 0.0)
    for _ in range(5):
        optimizer.step()
        schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.5, 0.05])
