"""A search learns: on a known function, and on a recipe that was made poor; pruning costs less and finds as much."""

import json
from collections.abc import Callable, Iterable
from functools import partial
from math import cos, pi
from pathlib import Path
from statistics import median
from typing import Any

import optuna
import pytest

from nncli.sweep.best import refit
from nncli.sweep.record import open_sweep
from nncli.sweep.search import sampler
from nncli.sweep.settings import settings
from nncli.sweep.space import Space, space
from nncli.sweep.study import Claimed, Study
from tests.conftest import Nn

LOWEST = 0.3979  # of Branin's function
TASK = '''
"""A task that learns nothing: its metric is Branin's function of two keys."""

from math import cos, pi

import torch

from nncli.tasks.base import Task


class Valley(Task):
    metrics = {"height": "min"}

    def __init__(self, x: float, y: float, **parts) -> None:
        super().__init__(**parts)
        self.x, self.y = x, y

    def training_loss(self, batch):
        return self(batch[0]).square().mean()

    def metric_sums(self, batch):
        return torch.ones(1)

    def metrics_from(self, sums):
        slope = self.y - 5.1 / (4 * pi**2) * self.x**2 + 5 / pi * self.x - 6
        return {"height": slope**2 + 10 * (1 - 1 / (8 * pi)) * cos(self.x) + 10}
'''
YAML = """
# Branin's function.
defaults:
  - _parts
  - _self_

_target_: valley.Valley
x: 0.0
y: 0.0
monitor: val/height
"""


def branin(x: float, y: float) -> float:
    slope = y - 5.1 / (4 * pi**2) * x**2 + 5 / pi * x - 6
    return slope**2 + 10 * (1 - 1 / (8 * pi)) * cos(x) + 10


@pytest.fixture
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.sweep.study.storage", lambda _: optuna.storages.InMemoryStorage())


def searched(method: str, seed: int, trials: int, workers: int, one: Space, value: Callable[[Claimed], float]) -> Study:
    """A study in which so many trials are always running, as in a sweep."""
    chosen = settings([f"sweep={method}", f"sweep.seed={seed}"])[0]
    study, running = Study("one", "memory://", ["minimize"], partial(sampler, chosen), None), list[Claimed]()
    study.open(trials)
    while True:
        while len(running) < workers and (claimed := study.claim(one)):
            running.append(claimed)
        if not running:
            return study
        ended = running.pop(0)
        study.end(ended, [value(ended)])


def lowest(method: str, seeds: Iterable[int], workers: int = 1) -> float:
    """The median over study seeds of the lowest of 40 values."""
    plane = space(["recipe=digits_mlp", "model.width=interval(-5.0,10.0)", "optimizer.lr=interval(0.0,15.0)"])

    def value(claimed: Claimed) -> float:
        return branin(*map(float, claimed.picked.values()))

    return median(searched(method, seed, 40, workers, plane, value).study.best_value for seed in seeds)


@pytest.mark.usefixtures("_in_memory")
def test_tpe_is_lower_than_random_on_a_known_function() -> None:
    chance = lowest("random", range(20))
    for workers in (1, 2):
        assert lowest("tpe", range(20), workers) < 0.85 * chance


@pytest.mark.slow
@pytest.mark.usefixtures("_in_memory")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_gaussian_process_finds_the_lowest_point_of_a_known_function(workers: int) -> None:
    assert lowest("gp", range(5), workers) < LOWEST + 0.01


@pytest.mark.usefixtures("_in_memory")
@pytest.mark.parametrize("method", ["random", "tpe", "qmc", "cmaes", "gp"])
def test_a_key_that_only_some_choices_have_is_spread_too(method: str) -> None:
    one = space(["recipe=digits_mlp", "optimizer=adamw,sgd", "optimizer.momentum=interval(0.0,0.99)"])
    for seed in range(4):
        found = searched(method, seed, 16, 2, one, lambda claimed: float(len(claimed.picked)))
        momenta = [trial.params.get("optimizer.momentum") for trial in found.trials()]
        some = [momentum for momentum in momenta if momentum is not None]
        assert 0 < len(set(some)) == len(some)


def test_a_real_sweep_finds_the_lowest_point_of_a_known_function(nn: Nn, tmp_path: Path) -> None:
    (tmp_path / "valley.py").write_text(TASK)
    (tmp_path / "conf" / "task").mkdir(parents=True)
    (tmp_path / "conf" / "task" / "valley.yaml").write_text(YAML)
    words = ["task=valley", "task.x=interval(-5.0,10.0)", "task.y=interval(0.0,15.0)", "data=iris"]
    words += ["sweep=gp", "sweep.trials=20", "trainer.max_epochs=1", "trainer.accelerator=cpu", "--trust", "valley"]
    done = nn("sweep", *words, timeout=300)
    assert done.returncode == 0, done.stderr
    (best,) = open_sweep(Path("runs/iris_mlp_sweep")).winners
    assert (best.values or [9.0])[0] < LOWEST + 0.5


def test_trials_that_fall_behind_cost_little(nn: Nn) -> None:
    rates = "optimizer.lr=0.01,0.00001,0.00002,0.00003,0.00004,0.00005,0.02"
    words = ["recipe=digits_mlp", rates, "trainer.max_epochs=24", "trainer.accelerator=cpu"]
    done = nn("sweep", *words, "sweep=grid", "sweep.pruner=asha", "sweep.workers=1", timeout=300)
    assert done.returncode == 0, done.stderr
    found = open_sweep(Path("runs/digits_mlp_sweep"))
    assert float(found.winners[0].picked["optimizer.lr"]) >= 0.01
    assert {one.state for one in found.trials if float(one.picked["optimizer.lr"]) < 0.001} == {"pruned"}
    assert epochs(found.folder) < 0.7 * 7 * 24


def epochs(folder: Path) -> int:
    """How many epochs the trials of a sweep have been trained."""
    return sum(json.loads(file.read_text())["epochs"] for file in folder.glob("0*/summary.json"))


SPACE = ["optimizer.lr=tag(log,interval(1e-4,1e-1))", "regularization.weight_decay=tag(log,interval(1e-6,1e-1))"]
SPACE += ["regularization.dropout=interval(0,0.5)", "model.width=32,64,128,256"]


@pytest.mark.slow
def test_pruning_finds_as_much_with_fewer_epochs(nn: Nn) -> None:
    ways = {"none": 1.0, "asha": 0.4, "hyperband": 0.45}  # the share of the epochs that each may cost
    accuracy, cost = ({way: list[float]() for way in ways} for _ in range(2))
    for seed in range(5):
        words = ["recipe=digits_mlp", *SPACE, "trainer.max_epochs=27", "trainer.accelerator=cpu", f"sweep.seed={seed}"]
        for way in ways:
            folder = Path("runs").absolute() / f"{way}{seed}"
            more = ["sweep.trials=27", f"sweep.pruner={way}", f"sweep.name={folder.name}"]
            done = nn("sweep", *words, *more, timeout=1800)
            assert done.returncode == 0, done.stderr
            accuracy[way].append(_accuracy(refit(folder, 5, print)["refits"])["mean"])
            cost[way].append(epochs(folder) / (27 * 27))
    print(accuracy, cost)
    for way, most in ways.items():
        assert median(accuracy[way]) > median(accuracy["none"]) - 0.01
        assert median(cost[way]) <= most


def _accuracy(refits: dict[str, Any], name: str = "refit-0") -> dict[str, Any]:
    """The mean test accuracy of a refit, and its interval."""
    return next(one["metrics"]["test/accuracy"] for key, one in refits.items() if key.startswith(name))


POOR = """
# A net of eight units that hardly learns.
defaults:
  - /train
  - _self_
model: {width: 8}
optimizer: {lr: 0.00001}
trainer: {max_epochs: 5, accelerator: cpu}
"""
SLOW = [pytest.param(method, marks=pytest.mark.slow) for method in ("random", "gp", "cmaes")]


@pytest.mark.parametrize("method", ["tpe", *SLOW])
def test_a_search_mends_a_poor_recipe(method: str, nn: Nn) -> None:
    Path("recipes").mkdir()
    Path("recipes/poor.yaml").write_text(POOR)
    words = ["recipe=poor", "optimizer.lr=tag(log,interval(1e-6,1e-1))", "model.width=range(8,129,8)"]
    done = nn("sweep", *words, f"sweep={method}", "sweep.trials=20", timeout=600)
    assert done.returncode == 0, done.stderr
    refits = refit(Path("runs/poor_sweep").absolute(), 5, print, beside=True)["refits"]
    found, before = (_accuracy(refits, name) for name in ("refit-0", "refit-default"))
    print(f"{method}: {before} before, {found} found")
    assert found["low"] > before["high"] + 0.2
