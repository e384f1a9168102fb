"""A checkpoint that is not of this run, or not of a form that is read, is refused with what it is."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nncli.errors import CheckpointError
from nncli.run.checkpoint import load, save
from nncli.run.fit import fit_words, resume
from nncli.run.folder import RunFolder
from nncli.run.judge import judged
from nncli.run.screen import Screen

WORDS = ["trainer.max_epochs=2", "trainer.limit_batches=2", "model.width=8"]
LONGER = ["trainer.max_epochs=3"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "r"
    fit_words([*WORDS, f"run_dir={path}"], show="quiet")
    return path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> RunFolder:
    shutil.copytree(trained, tmp_path / "r")
    return RunFolder(tmp_path / "r")


def assert_refused(run: RunFolder, match: str) -> None:
    """By resume and by eval, and nothing of the run is touched."""
    before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    with pytest.raises(CheckpointError, match=match):
        resume(run, LONGER, Screen("quiet"))
    with pytest.raises(CheckpointError, match=match):
        judged([run])
    assert {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("seed=4", "seed = 4"),
        ("optimizer=sgd", r"optimizer\._target_ = torch\.optim\.SGD"),
        ("model.width=9", "model.width = 9"),
        ("regularization.dropout=0.3", "dropout = 0.3"),
    ],
)
def test_of_another_run(run: RunFolder, tmp_path: Path, word: str, said: str) -> None:
    fit_words([*WORDS, word, f"run_dir={tmp_path / 'other'}"], show="quiet")
    for name in ("last", "best"):
        shutil.copy(tmp_path / "other" / "checkpoints" / f"{name}.ckpt", run.checkpoints)
    assert_refused(run, f"checkpoint of another run: .*{said}")


def test_words_that_a_resume_takes_do_not_make_it_another_run(run: RunFolder) -> None:
    resume(run, ["trainer.max_epochs=3", "checkpoint.keep=2", "test=false"], Screen("quiet"))
    assert resume(run, ["trainer.max_epochs=4", "trainer.threads=1"], Screen("quiet")) == run
    assert judged([run])["metrics"]


def changed(run: RunFolder, change: Callable[[dict[str, Any]], object]) -> None:
    """Both checkpoints of the run with something in them changed, and a right digest."""
    for name in ("last.ckpt", "best.ckpt"):
        state = load(run.checkpoints / name)
        change(state)
        save(state, run.checkpoints / name)


@pytest.mark.parametrize("version", [0, 4, 99, "2", None, [1]], ids=str)
def test_of_another_version(run: RunFolder, version: Any) -> None:
    changed(run, lambda state: state["nncli"].update(version=version))
    assert_refused(run, r"has the form .*reads 1 to 3: use the version of nn that wrote it")


ODD: dict[str, Callable[[dict[str, Any]], object]] = {
    "no place": lambda s: s.pop("nncli"),
    "place is text": lambda s: s.update(nncli="here"),
    "no step": lambda s: s["nncli"].pop("step"),
    "negative step": lambda s: s["nncli"].update(step=-1),
    "position of three": lambda s: s["nncli"].update(position=[1, 0, 0]),
    "position is text": lambda s: s["nncli"].update(position="10"),
    "due is text": lambda s: s["nncli"].update(due="yes"),
    "best is a list": lambda s: s["nncli"].update(best=[]),
    "best without a step": lambda s: s["nncli"]["best"].pop("step"),
    "results are text": lambda s: s["nncli"]["best"].update(results={"val/loss": "low"}),
    "rates are text": lambda s: s["nncli"].update(rates=["fast"]),
    "config is a list": lambda s: s["nncli"].update(config=[1]),
    "facts are a list": lambda s: s.update(facts=[1]),
    "no weights": lambda s: s.update(state_dict={}),
    "a weight of another shape": lambda s: s["state_dict"].update({"net.layers.0.weight": torch.zeros(1, 1)}),
    "a weight too many": lambda s: s["state_dict"].update({"net.more": torch.zeros(1)}),
    "a weight that is text": lambda s: s["state_dict"].update({next(iter(s["state_dict"])): "heavy"}),
}
ODD_TO_RESUME: dict[str, Callable[[dict[str, Any]], object]] = {
    "no ranks": lambda s: s["nncli"].update(ranks=[]),
    "random states of another kind": lambda s: s["nncli"].update(ranks=[{"random": {"torch": 1}, "loss_sum": 0.0}]),
    "no optimizer": lambda s: s.pop("optimizer_states"),
    "optimizer states are text": lambda s: s.update(optimizer_states="adam"),
    "an optimizer of another kind": lambda s: s.update(optimizer_states=[{"state": {}, "param_groups": [{}]}]),
    "no schedule": lambda s: s.pop("lr_schedulers"),
    "a schedule of another kind": lambda s: s.update(lr_schedulers=[{"last_epoch": "many"}]),
    "no callbacks": lambda s: s.pop("callbacks"),
    "callbacks are text": lambda s: s.update(callbacks="all"),
    "an average of another shape": lambda s: s.update(average={n: torch.zeros(9, 9, 9) for n in s["state_dict"]}),
}


@pytest.mark.parametrize("odd", ODD)
def test_of_odd_content_with_a_right_digest(run: RunFolder, odd: str) -> None:
    changed(run, ODD[odd])
    assert_refused(run, "ckpt")


@pytest.mark.parametrize("odd", ODD_TO_RESUME)
def test_of_odd_content_that_only_a_resume_reads(run: RunFolder, odd: str) -> None:
    changed(run, ODD_TO_RESUME[odd])
    before = {p: p.read_bytes() for p in [run.metrics, *run.checkpoints.iterdir()]}
    with pytest.raises(CheckpointError, match=r"last\.ckpt"):
        resume(run, LONGER, Screen("quiet"))
    assert {p: p.read_bytes() for p in [run.metrics, *run.checkpoints.iterdir()]} == before


def test_those_of_the_form_before_are_gone_on_from(run: RunFolder, tmp_path: Path) -> None:
    def age(state: dict[str, Any]) -> None:
        saved = state["nncli"]
        saved.update(version=1, validation_due=saved.pop("due"))
        del saved["config"]

    shutil.copytree(run.path, tmp_path / "new")
    changed(run, age)
    aged = copy.deepcopy(load(run.checkpoints / "last.ckpt")["nncli"])
    assert aged["config"] == {}
    for path in (run.path, tmp_path / "new"):
        resume(RunFolder(path), LONGER, Screen("quiet"))
    old, new = (load(path / "checkpoints" / "last.ckpt")["state_dict"] for path in (run.path, tmp_path / "new"))
    assert all(torch.equal(old[name], new[name]) for name in old)
