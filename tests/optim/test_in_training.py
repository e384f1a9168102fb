"""Optimizers, schedules and groups in whole runs: they train, and a resumed run is the uninterrupted one."""

import csv
from typing import Any

import pytest
import torch

import nncli
from nncli.run.checkpoint import load
from nncli.run.fit import resume
from nncli.run.folder import RunFolder
from nncli.run.screen import Screen

SMALL = ["data=iris", "model.width=16", "model.depth=1", "trainer.precision=32", "trainer.threads=1", "test=false"]


def fit(*words: str) -> RunFolder:
    return nncli.fit([*SMALL, *words], show="quiet")


def saved(run: RunFolder) -> dict[str, Any]:
    return load(run.path / "checkpoints" / "last.ckpt")


def rates(run: RunFolder) -> list[float]:
    with open(run.path / "metrics.csv") as f:
        return [float(row["lr"]) for row in csv.DictReader(f)]


def accuracy(run: RunFolder) -> float:
    return run.read(run.summary)["metrics"]["val/accuracy"]


def assert_goes_on_exactly(*words: str) -> RunFolder:
    straight = fit("trainer.max_epochs=6", "run_dir=straight", *words)
    parted = fit("trainer.max_epochs=3", "run_dir=parted", *words)
    resume(parted, ["trainer.max_epochs=6"], Screen("quiet"))
    one, other = saved(straight), saved(parted)
    for name, weight in one["state_dict"].items():
        assert torch.equal(weight, other["state_dict"][name]), name
    for name, mean in one["average"].items():
        assert torch.equal(mean, other["average"][name]), name
    assert one["lr_schedulers"] == other["lr_schedulers"]
    return straight


def test_a_plateau_lowers_the_rate_and_goes_on_after_a_resume() -> None:
    run = assert_goes_on_exactly(
        "scheduler=plateau", "scheduler.patience=0", "scheduler.factor=0.5", "scheduler.threshold=0.5"
    )
    assert rates(run)[0] == 0.003
    assert rates(run)[-1] <= 0.0015


@pytest.mark.parametrize("optimizer", ["muon", "lion", "radam", "schedule_free"])
def test_layer_wise_rates_and_l1_go_on_after_a_resume(optimizer: str) -> None:
    words = ["scheduler=inverse_sqrt", "regularization.layer_decay=0.5", "regularization.l1=0.001"]
    mean = "trainer.ema=null" if optimizer == "schedule_free" else "trainer.ema=0.9"
    assert_goes_on_exactly(f"optimizer={optimizer}", mean, *words, "scheduler.warmup=4")


def test_lbfgs_trains_on_the_whole_part_at_once() -> None:
    run = fit(
        "optimizer=lbfgs", "scheduler=constant", "regularization=none", "data.batch_size=105", "trainer.max_epochs=20"
    )
    assert accuracy(run) > 0.9


def test_l1_leaves_fewer_weights() -> None:
    def small(run: RunFolder) -> float:
        weights = [w for name, w in saved(run)["state_dict"].items() if w.ndim > 1]
        return torch.cat([w.flatten() for w in weights]).abs().lt(0.01).float().mean().item()

    words = ["trainer.max_epochs=60", "optimizer.lr=0.01"]
    assert small(fit("regularization.l1=0.02", *words)) > small(fit(*words)) + 0.3


def test_zero_weights_learn_nothing_and_the_usual_ones_do() -> None:
    words = ["trainer.max_epochs=20", "optimizer.lr=0.01"]
    assert accuracy(fit("init=zeros", *words)) < 0.5
    assert accuracy(fit("init=he_normal", *words)) > 0.85


@pytest.mark.parametrize("by", ["norm", "value"])
def test_clipping_bounds_the_move_of_plain_descent(by: str) -> None:
    words = [
        "optimizer=momentum",
        "optimizer.momentum=0",
        "optimizer.lr=1",
        "scheduler=constant",
        "regularization=none",
    ]
    first = fit(*words, "regularization.grad_clip=1.0e-9", "trainer.max_steps=1", "run_dir=a")
    moved = fit(
        *words, f"trainer.grad_clip_by={by}", "regularization.grad_clip=0.01", "trainer.max_steps=1", "run_dir=b"
    )
    pairs = zip(weights(first), weights(moved), strict=True)
    gaps = torch.cat([(a - b).flatten() for a, b in pairs])
    found = gaps.norm() if by == "norm" else gaps.abs().max()
    assert found.item() == pytest.approx(0.01, rel=1e-3)


def weights(run: RunFolder) -> list[torch.Tensor]:
    return [w for name, w in saved(run)["state_dict"].items() if name.startswith("net.")]
