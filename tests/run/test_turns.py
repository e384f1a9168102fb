"""A task with two optimizers, whose nets play against each other, in one Python file and one YAML."""

import csv
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from nncli.errors import TrainingFailed
from nncli.run.checkpoint import load
from nncli.run.fit import fit_words
from nncli.run.folder import RunFolder
from tests.run.moments import run_in_child
from tests.run.ranks import forked as forked
from tests.run.test_moments import same

TASK = '''
"""Points like those of the data, made by a net that a second one, the critic, learns to tell from them."""

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from nncli.contracts import Direction, Turn
from nncli.optim.updates import Updates
from nncli.tasks.base import Batch, Parts, Task


class Duel(Task):
    metrics: ClassVar[Mapping[str, Direction]] = {"loss": "min"}
    logged: ClassVar[Mapping[str, Direction]] = {"d_loss": "min", "g_loss": "min", "told_apart": "min"}

    def __init__(
        self, critic: nn.Module, updates_critic: Updates, spoilt: str | None = None, every: int = 1,
        **parts: Unpack[Parts],
    ) -> None:
        super().__init__(**parts)
        self.critic, self.updates_critic, self.spoilt, self.every = critic, updates_critic, spoilt, every
        self.register_buffer("seen", torch.zeros(()))

    def turns(self) -> list[Turn]:
        return [
            Turn(self.critic, self.updates_critic, self.critic_loss, "d"),
            Turn(self.net, self.updates, self.maker_loss, "g", self.every),
        ]

    def made(self, x: Tensor) -> Tensor:
        return self.net(torch.sin(37.0 * x))  # noise that each sample brings along: ranks share it out

    def critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        x = self.transform(batch[0])
        real, false = self.critic(x), self.critic(self.made(x).detach())
        self.seen += 1
        loss = softplus(-real).mean() + softplus(false).mean()
        return {"loss": self._spoilt(loss, "d"), "told_apart": (real.mean() - false.mean()).abs()}

    def maker_loss(self, batch: Batch) -> dict[str, Tensor]:
        loss = softplus(-self.critic(self.made(self.transform(batch[0])))).mean()
        return {"loss": self._spoilt(loss, "g")}

    def _spoilt(self, loss: Tensor, turn: str) -> Tensor:
        return loss * torch.where(self.seen > 9, torch.nan, 1.0) if self.spoilt == turn else loss

    def metric_sums(self, batch: Batch) -> Tensor:
        x = self.transform(batch[0])
        if len(x) == 0:
            return x.new_zeros(9)
        made = self.made(x).float()
        moments = [torch.cat([p.sum(0), p.square().sum(0)]) for p in (x, made)]
        return torch.cat([x.new_full((1,), len(x)), *moments])

    def metrics_from(self, sums: list[float]) -> dict[str, float]:
        there, here = torch.tensor(sums[1:5]) / sums[0], torch.tensor(sums[5:]) / sums[0]
        return {"loss": float((there - here).square().sum())}
'''
YAML = """# Two nets that play against each other on points.
defaults:
  - _parts
  - /model@_global_.model_critic: mlp
  - /optimizer@_global_.optimizer_critic: adam
  - _self_

_target_: duel.Duel
critic: ${model_critic}
updates_critic:
  _target_: nncli.optim.updates.Updates
  optimizer: ${optimizer_critic}
  scheduler: ${scheduler}
  groups: ${groups}
monitor: val/loss
spoilt: null
every: 1
"""
DUEL = [
    *("task=duel", "data=moons", "model.num_outputs=2", "model_critic.num_outputs=1", "trainer.precision=32"),
    *("model.width=32", "model_critic.width=32", "optimizer=adam", "optimizer.lr=0.002", "optimizer_critic.lr=0.004"),
    *("optimizer.betas=[0.5,0.9]", "optimizer_critic.betas=[0.5,0.9]", "scheduler=constant", "trainer.threads=1"),
]
SMALL = [*DUEL, "trainer.max_epochs=2", "trainer.limit_batches=6", "trainer.log_every=2", "checkpoint.every_n_steps=2"]
EVERYTHING = [*SMALL, "trainer.accumulate=2", "regularization.grad_clip=0.5", "regularization.ema=0.9"]


@pytest.fixture(autouse=True)
def duel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "duel.py").write_text(TASK)
    (tmp_path / "conf" / "task").mkdir(parents=True)
    (tmp_path / "conf" / "task" / "duel.yaml").write_text(YAML)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NN_TRUST", "duel")
    sys.modules.pop("duel", None)
    yield
    sys.modules.pop("duel", None)


def trained(*words: str) -> RunFolder:
    return fit_words([*words], show="quiet")


def column(run: RunFolder, name: str) -> list[float]:
    with open(run.metrics) as f:
        return [float(row[name]) for row in csv.DictReader(f) if row[name]]


def test_it_learns_and_each_turn_is_logged() -> None:
    run = trained(*DUEL, "trainer.max_epochs=40", "trainer.log_every=5")
    begun, best = column(run, "val/loss")[0], json.loads(run.summary.read_text())["metrics"]["val/loss"]
    assert best < 0.1 < begun
    assert len(column(run, "train/d_loss")) == len(column(run, "train/g_loss")) > 100
    assert {"lr", "lr_g"} <= set(run.metrics.read_text().splitlines()[0].split(","))
    assert json.loads(run.summary.read_text())["steps"] == 40 * 21, "a step is a batch, whatever the number of turns"


def test_each_optimizer_moves_its_own_net_alone() -> None:
    run = trained(*DUEL, "trainer.max_steps=6", "optimizer.lr=0", "optimizer_critic.lr=0.01")
    first = trained(*DUEL, "trainer.max_steps=1", "optimizer.lr=0", "optimizer_critic.lr=0.01")
    one, six = (load(r.checkpoints / "last.ckpt")["state_dict"] for r in (first, run))
    assert all(torch.equal(one[k], six[k]) for k in one if k.startswith("net."))
    assert not any(torch.equal(one[k], six[k]) for k in one if k.startswith("critic.") and k.endswith("weight"))


def test_a_turn_may_be_taken_at_every_third_step_only() -> None:
    run = trained(*SMALL, "task.every=3", "trainer.max_steps=8")
    steps = [
        {s["step"].item() for s in o["state"].values()} for o in load(run.checkpoints / "last.ckpt")["optimizer_states"]
    ]
    assert steps == [{8.0}, {2.0}]


@pytest.mark.parametrize("calls", ["1", "7", "auto"])
def test_the_number_of_steps_in_a_call_changes_nothing(calls: str) -> None:
    words = [w for w in EVERYTHING if not w.startswith("checkpoint")]
    one, other = trained(*words, "trainer.steps_per_call=20"), trained(*words, f"trainer.steps_per_call={calls}")
    assert same(one.path, other.path) == []


@pytest.mark.parametrize("turn", ["d", "g"])
def test_a_loss_that_is_no_number_stops_it_in_either_turn(turn: str) -> None:
    with pytest.raises(TrainingFailed, match=f"the loss of {turn} became nan at step"):
        trained(*SMALL, f"task.spoilt={turn}")


def test_ten_random_kills_change_no_bit(tmp_path: Path) -> None:
    assert run_in_child(tmp_path / "whole", EVERYTHING, tmp_path / "whole.log") == 0, (
        tmp_path / "whole.said"
    ).read_text()
    moments, dice = len((tmp_path / "whole.log").read_text().splitlines()), random.Random(0)
    for at in dice.sample(range(20, moments), 10):
        cut = tmp_path / f"cut{at}"
        assert run_in_child(cut, EVERYTHING, tmp_path / "cut.log", at=at) == -9
        assert run_in_child(cut, [], tmp_path / "cut.log", go_on=True) == 0, (tmp_path / "cut.said").read_text()
        assert same(tmp_path / "whole", cut) == [], at


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.usefixtures("forked")
def test_two_ranks_have_the_losses_of_one(strategy: str) -> None:
    words = [*SMALL, "trainer.log_every=1", "trainer.accelerator=cpu", "regularization.dropout=0"]
    alone = trained(*words)
    both = trained(*words, f"trainer={strategy}", "trainer.devices=2")
    for name in ("train/d_loss", "train/g_loss", "val/loss"):
        assert column(both, name) == pytest.approx(column(alone, name), abs=1e-5)
