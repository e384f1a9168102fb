"""Averaged weights: moving, of epochs, and those an optimizer keeps. What is judged is the average, and it is kept."""

import csv
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import nncli
from nncli.errors import ConfigError
from nncli.run.callbacks.averaging import EpochAverage, MovingAverage, averaged, averaging
from nncli.run.checkpoint import load, weights
from nncli.run.fit import resume
from nncli.run.folder import RunFolder
from nncli.run.restore import restore
from nncli.run.screen import Screen
from tests.run.test_resume import differences

IRIS = ["data=iris", "model.width=16", "model.depth=1"]
DIGITS = ["data=digits", "model=cnn", "model.channels=[4]", "data.batch_size=256"]
FLAT = ["optimizer=momentum", "scheduler=constant", "regularization=none"]
SWA = [*FLAT, "regularization.swa=0.5"]
FREE = ["optimizer=schedule_free", "scheduler=constant", "scheduler.warmup=0.1"]


def fit(*words: str, on: list[str] = IRIS) -> RunFolder:
    return nncli.fit([*on, "trainer.precision=32", "trainer.threads=1", "test=false", *words], show="quiet")


def saved(run: RunFolder, which: str = "last") -> dict[str, Any]:
    return load(run.checkpoints / f"{which}.ckpt")


def judged(run: RunFolder) -> list[float]:
    """The validation loss of each epoch."""
    with open(run.path / "metrics.csv") as f:
        return [float(row["val/loss"]) for row in csv.DictReader(f) if row["val/loss"]]


def val_loss(run: RunFolder, state: dict[str, Any]) -> float:
    _, parts = restore(run, which="last")
    parts.task.load_state_dict(state)
    x, y = parts.data.parts["val"].span(0, len(parts.data.parts["val"]))
    with torch.no_grad():
        return parts.task.loss(parts.task.eval()(x), y).item()


def test_the_moving_average_keeps_its_decay_of_itself_and_less_at_first() -> None:
    words = ["data.batch_size=10", "trainer.max_epochs=1", "checkpoint.every_n_steps=1", "checkpoint.keep=99"]
    run = fit(*FLAT, "regularization.ema=0.5", *words)
    states = [load(path) for path in sorted(run.checkpoints.glob("step-*.ckpt"))]
    assert len(states) == 9
    for step, (before, now) in enumerate(pairwise(states), start=2):
        decay = min(0.5, (1 + step) / (10 + step))
        for name, mean in now["average"].items():
            wanted = decay * before["average"][name] + (1 - decay) * now["state_dict"][name]
            assert torch.allclose(mean, wanted, atol=1e-6), (step, name)


def test_the_average_of_epochs_is_their_mean_and_is_what_is_judged_from_then_on() -> None:
    run = fit(*SWA, "trainer.max_epochs=5", "run_dir=swa")
    raw = [saved(fit(*FLAT, f"trainer.max_epochs={n}", f"run_dir=raw{n}"))["state_dict"] for n in (3, 4, 5)]
    found = saved(run)["average"]
    assert found.keys() == raw[0].keys()
    for name, mean in found.items():
        assert torch.allclose(mean, torch.stack([state[name] for state in raw]).mean(0), atol=1e-6), name
    plain = RunFolder(run.path.with_name("raw5"))
    assert not differences(saved(run)["state_dict"], saved(plain)["state_dict"]), "the trained weights are as without"
    assert judged(run)[:2] == judged(plain)[:2], "before, the trained weights are judged"
    assert judged(run)[3:] != judged(plain)[3:]
    assert judged(run)[-1] == pytest.approx(val_loss(run, found), rel=1e-4)


def test_before_the_first_average_the_trained_weights_are_kept() -> None:
    run = fit(*SWA, "trainer.max_epochs=5", "optimizer.lr=1", "task.monitor=val/loss")
    best = saved(run, "best")
    assert not best["average"]
    assert judged(run)[-1] > min(judged(run)), "so that the best is an earlier one"
    assert min(judged(run)) == pytest.approx(val_loss(run, weights(best)), rel=1e-4)


@pytest.mark.parametrize("words", [SWA, FREE], ids=["swa", "schedule_free"])
@pytest.mark.parametrize("step", [10, 18], ids=["before", "while"])
def test_a_run_cut_before_or_while_it_averages_ends_as_one_that_was_not(words: list[str], step: int) -> None:
    run = fit(*words, "trainer.max_epochs=6", "checkpoint.every_n_steps=2", "checkpoint.keep=99", on=DIGITS)
    whole = {name: saved(run, name) for name in ("last", "best")}
    for path in run.checkpoints.iterdir():
        if not path.name.startswith("step") or int(path.stem.removeprefix("step-")) > step:
            path.unlink()
    assert bool(load(run.checkpoints / f"step-{step:09d}.ckpt")["average"]) == (step == 18 or words == FREE)
    run.summary.unlink()
    resume(run, [], Screen("quiet"))
    for name, state in whole.items():
        for part in ("state_dict", "average", "averaged", "optimizer_states"):
            assert not differences(state.get(part), saved(run, name).get(part), f"{name}/{part}")


def test_longer_training_begins_the_average_anew() -> None:
    run = fit(*SWA, "trainer.max_epochs=2", "run_dir=longer")
    assert saved(run)["averaged"] == 2
    resume(run, ["trainer.max_epochs=8"], Screen("quiet"))
    assert saved(run)["averaged"] == 5, "the epochs 4 to 8"
    straight = saved(fit(*SWA, "trainer.max_epochs=8", "run_dir=straight"))
    assert not differences(straight["average"], saved(run)["average"])


def test_the_average_lies_lower_than_where_a_high_rate_ends() -> None:
    small = ["data=digits", "model.width=64", "data.batch_size=32"]
    run = fit(*SWA, "optimizer.lr=0.1", "trainer.max_epochs=12", on=small)
    raw, mean = val_loss(run, saved(run)["state_dict"]), val_loss(run, weights(saved(run)))
    assert mean < raw * 0.6, (mean, raw)
    assert run.read(run.summary)["metrics"]["val/accuracy"] > 0.97


def test_a_run_that_its_steps_end_has_an_average_too() -> None:
    state = saved(fit(*SWA, "trainer.max_steps=2"))
    assert state["averaged"] == 1
    assert not differences(state["average"], state["state_dict"])


def test_a_schedule_free_run_judges_keeps_and_restores_the_average() -> None:
    run = fit(*FREE, "trainer.max_epochs=5", "regularization.grad_clip=1.0", "test=true")
    state = saved(run)
    moved = state["optimizer_states"][0]["state"]
    assert len(moved) == 4
    assert not differences(sorted(t["x"].sum().item() for t in moved.values()), sums(state["average"]))
    assert sums(state["average"]) != sums(state["state_dict"]), "the trained weights lie beside their average"
    assert judged(run)[-1] == pytest.approx(val_loss(run, weights(state)), rel=1e-4)
    assert judged(run)[-1] != pytest.approx(val_loss(run, state["state_dict"]), rel=1e-4)
    _, parts = restore(run)
    best = saved(run, "best")["average"]
    assert best
    assert all(torch.equal(mean, parts.task.state_dict()[name]) for name, mean in best.items())


def sums(state: dict[str, Tensor]) -> list[float]:
    return sorted(t.sum().item() for name, t in state.items() if name.startswith("net."))


@pytest.mark.parametrize("word", ["regularization.ema=0.9", "regularization.swa=0.5"])
def test_a_second_average_beside_the_optimizers_is_reported(word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fit(*FREE, word)
    (problem,) = caught.value.problems
    key = word.partition("=")[0]
    assert (problem.key, problem.code) == (key, "incompatible-value")
    assert f"set {key} to null" in problem.text


def test_two_averages_are_reported() -> None:
    with pytest.raises(ConfigError) as caught:
        fit("regularization.ema=0.9", "regularization.swa=0.5")
    (problem,) = caught.value.problems
    assert (problem.key, problem.code) == ("regularization.swa", "incompatible-value")
    assert "regularization.ema" in problem.text


def test_runs_of_before_there_was_swa_go_on_and_their_averages_are_read() -> None:
    run = fit("trainer.max_epochs=1", "regularization.ema=0.9")
    kept = [line for line in run.config.read_text().splitlines() if "swa:" not in line]
    run.config.write_text("\n".join(kept))
    resume(run, ["trainer.max_epochs=2"], Screen("quiet"))
    assert isinstance(averaging({"ema": 0.9}), MovingAverage)
    mean = {"w": torch.ones(1)}
    assert weights({"state_dict": {"w": torch.zeros(1)}, "ema": mean}) == mean


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(2, 2)
        self.two = nn.Linear(2, 2)
        self.two.weight = self.one.weight


def test_a_weight_of_two_names_is_swapped_once() -> None:
    net, mean = Tied(), EpochAverage(0.5)
    mean.live = averaged(net)
    mean.shadow = {t: torch.zeros_like(t) for t in mean.live.values()}
    mean.count = 1
    before = net.one.weight.detach().clone()
    mean._swap()
    assert not net.two.weight.any()
    mean._swap()
    assert torch.equal(net.two.weight, before)
    kept: dict[str, Any] = {}
    mean.on_save_checkpoint(None, None, kept)  # pyright: ignore[reportArgumentType]
    assert set(kept["average"]) == set(net.state_dict())
    assert cross_entropy(net.two(torch.ones(1, 2)), torch.tensor([0])) > 0
