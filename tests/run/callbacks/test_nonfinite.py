"""Weights and judged losses that are no numbers end a run with exit 3, and are never saved."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from nncli.errors import TrainingFailed
from nncli.run.callbacks.averaging import MovingAverage
from nncli.run.callbacks.nonfinite import overflowed
from nncli.run.checkpoint import load
from nncli.run.fit import fit_words, resume
from nncli.run.folder import RunFolder
from nncli.run.screen import Screen

SMALL = ["trainer.limit_batches=4", "trainer.precision=32", "scheduler=constant", "trainer.max_epochs=2", "run_dir=r"]


def failed(run: Path) -> str:
    summary = (run / "summary.json").read_text()
    assert "NaN" not in summary
    assert "Infinity" not in summary
    return json.loads(summary)["status"]


def assert_all_finite(run: Path) -> None:
    for path in (run / "checkpoints").glob("*"):
        state = load(path)
        for tensor in (state["state_dict"] | state.get("average", {})).values():
            assert torch.isfinite(tensor).all(), path


@pytest.mark.parametrize(
    "words",
    [
        ["optimizer.lr=1e38", "trainer.max_steps=1", "regularization.ema=0.9"],
        ["optimizer=sgd", "optimizer.lr=1e39", "checkpoint.every_n_steps=1"],
        ["optimizer=sgd", "optimizer.lr=1e39", "trainer.max_steps=1", "regularization.grad_clip=null"],
        ["optimizer=sgd", "optimizer.lr=1e20", "trainer.max_steps=2", "regularization.swa=0.1"],
        ["optimizer.lr=1e38", "trainer.limit_batches=1", "trainer.max_epochs=1"],
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_weights_that_overflowed_are_told_and_not_saved(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(TrainingFailed) as told:
        fit_words([*SMALL, *words], show="quiet")
    assert ("no longer finite" in str(told.value)) == ("lower optimizer.lr" in str(told.value))
    assert "step" in str(told.value)
    assert told.value.exit_code == 3
    assert failed(tmp_path / "r").startswith("failed: the ")
    assert_all_finite(tmp_path / "r")


def test_the_last_good_checkpoint_stays_and_every_resume_ends_the_same_way(tmp_path: Path) -> None:
    """The gradients overflow in the second epoch: until then all is well."""
    fit_words([*SMALL, "trainer.max_epochs=1"], show="quiet")
    good = {p.name: p.read_bytes() for p in (tmp_path / "r" / "checkpoints").iterdir()}
    for _ in range(2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("nncli.optim.groups.Groups.pull", explode)
            with pytest.raises(TrainingFailed):
                resume(RunFolder(tmp_path / "r"), ["trainer.max_epochs=2"], Screen("quiet"))
        assert {p.name: p.read_bytes() for p in (tmp_path / "r" / "checkpoints").iterdir()} == good
    resume(RunFolder(tmp_path / "r"), [], Screen("quiet"))
    assert json.loads((tmp_path / "r" / "summary.json").read_text())["status"] == "finished"


def test_a_test_part_whose_loss_is_no_number_fails_the_run(tmp_path: Path) -> None:
    """All is well until the end: only the inputs of the test part are too large for the net."""
    dice, y = np.random.default_rng(0), np.arange(80) % 2
    np.savez("train.npz", x=dice.random((80, 4), np.float32), y=y)
    np.savez("test.npz", x=np.full((80, 4), 3e38, np.float32), y=y)
    data = ["data=arrays", "data.path=train.npz", "data.test_path=test.npz", "model=mlp", "model.width=8"]
    with pytest.raises(
        TrainingFailed, match="the loss of the test part is nan after step 4: every weight is finite"
    ) as told:
        fit_words([*SMALL, *data], show="quiet")
    assert told.value.exit_code == 3
    assert failed(tmp_path / "r").startswith("failed: the loss of the test part")
    assert_all_finite(tmp_path / "r")


def test_an_average_that_alone_overflowed_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overflow(average: MovingAverage, weight: float) -> None:
        for shadow in average.shadow.values():
            shadow.fill_(float("inf"))

    monkeypatch.setattr(MovingAverage, "_mix", overflow)
    with pytest.raises(TrainingFailed, match=r"the weight average of net.* is no longer finite at step 1"):
        fit_words([*SMALL, "regularization.ema=0.9", "checkpoint.every_n_steps=1"], show="quiet")
    assert failed(tmp_path / "r").startswith("failed: the weight average of ")
    assert list((tmp_path / "r" / "checkpoints").iterdir()) == []


def explode(groups: object, net: torch.nn.Module) -> None:
    """In place of the pull on the weights: gradients that throw them out of the numbers at the next step."""
    for weight in net.parameters():
        if weight.grad is not None:
            weight.grad.fill_(float("inf"))


def test_masks_may_be_infinite_and_statistics_may_not_be_nan() -> None:
    net = torch.nn.BatchNorm1d(2)
    net.register_buffer("mask", torch.tensor([0.0, -float("inf")]))
    assert overflowed(net, net.state_dict()) is None
    assert net.running_mean is not None
    net.running_mean[1] = float("nan")
    assert overflowed(net, net.state_dict()) == "running_mean"
    net.running_mean[1] = 0.0
    with torch.no_grad():
        net.weight[0] = float("inf")
    assert overflowed(net, net.state_dict()) == "weight"
    assert overflowed(net, {}) is None
