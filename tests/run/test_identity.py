"""A checkpoint that is not of this run, or not of a form that is read, is refused with what it is."""

import copy
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nncli.errors import CheckpointError, NnError
from nncli.run.checkpoint import load, save
from nncli.run.eval import judged
from nncli.run.fit import fit_words, resume
from nncli.run.folder import RunFolder
from nncli.run.optimizer_state import check_optimizers, stated
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
    assert_refused(run, f"belongs to another run: .*{said}")


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


@pytest.mark.parametrize("version", [0, 4, 99, "2", None, [1], True, 1.0, torch.zeros(2)], ids=str)
def test_of_another_version(run: RunFolder, version: Any) -> None:
    changed(run, lambda state: state["nncli"].update(version=version))
    assert_refused(run, r"has the format .*reads 1 to 3: use the version of nn that wrote it")


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


def moments(state: dict[str, Any], value: Callable[[torch.Tensor], Any]) -> None:
    """Another mean of the gradients for every weight."""
    for found in state["optimizer_states"][0]["state"].values():
        found["exp_avg"] = value(found["exp_avg"])


def groups(state: dict[str, Any], **settings: Any) -> None:
    for group in state["optimizer_states"][0]["param_groups"]:
        group.update(settings)


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
    "moments of another shape": lambda s: moments(s, lambda _: torch.zeros(3)),
    "moments of one number": lambda s: moments(s, lambda _: torch.zeros(())),
    "moments that repeat one number": lambda s: moments(s, lambda kept: torch.zeros(1).expand(kept.shape)),
    "moments that are sparse": lambda s: moments(s, lambda kept: kept.to_sparse()),
    "moments that are text": lambda s: moments(s, lambda _: "some"),
    "moments that are missing": lambda s: moments(s, lambda _: None),
    "steps below none": lambda s: s["optimizer_states"][0]["state"][1].update(step=torch.tensor(-1.0)),
    "steps that are no number": lambda s: s["optimizer_states"][0]["state"][1].update(step=torch.tensor(float("nan"))),
    "steps of a shape": lambda s: s["optimizer_states"][0]["state"][0].update(step=torch.zeros(3)),
    "training uphill": lambda s: groups(s, maximize=True),
    "other betas": lambda s: groups(s, betas=[0.5, 0.5]),
    "betas that are a tensor": lambda s: groups(s, betas=torch.zeros(2)),
    "amsgrad": lambda s: groups(s, amsgrad=True),
    "another weight decay": lambda s: groups(s, weight_decay=torch.ones(())),
    "no eps": lambda s: s["optimizer_states"][0]["param_groups"][0].pop("eps"),
    "another first rate": lambda s: groups(s, initial_lr=100.0),
    "a position beyond the end": lambda s: s["nncli"].update(position=[0, 10**9]),
    "a step of another position": lambda s: s["nncli"].update(step=1),
    "a step that is large": lambda s: s["nncli"].update(step=10**30),
    "a schedule that is elsewhere": lambda s: s["lr_schedulers"][0].update(_step_count="many"),
    "rows below none": lambda s: s["callbacks"]["Crew"]["Recorder"].update(rows=-1),
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


RANDOM: dict[str, Callable[[dict[str, Any]], object]] = {
    "torch's is a number": lambda drawn: drawn.update(torch=1),
    "numpy's is beyond its numbers": lambda drawn: drawn["numpy"].__setitem__(1, 10**9),
    "python's is cut": lambda drawn: drawn.update(python=[3, [1, 2], None]),
    "one is missing": lambda drawn: drawn.pop("cuda"),
}


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("odd", RANDOM)
def test_random_states_that_cannot_be_restored_are_refused_before_anything_is_written(
    run: RunFolder, odd: str, rank: int
) -> None:
    def change(state: dict[str, Any]) -> None:
        state["nncli"]["ranks"] = copy.deepcopy(state["nncli"]["ranks"] * 2)
        RANDOM[odd](state["nncli"]["ranks"][rank]["random"])

    changed(run, change)
    before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    drawn = torch.get_rng_state()
    with pytest.raises(CheckpointError, match=r"last\.ckpt does not fit its run"):
        resume(run, LONGER, Screen("quiet"))
    assert {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()} == before
    assert torch.equal(torch.get_rng_state(), drawn)


def test_an_epoch_beyond_the_end_of_training_is_refused(run: RunFolder) -> None:
    changed(run, lambda state: state["nncli"].update(position=[10**9, 0], step=2 * 10**9))
    run.write(run.summary, {"status": "stopped"})
    with pytest.raises(CheckpointError, match=r"last\.ckpt was not written by this run: it is at epoch 1000000000"):
        resume(run, [], Screen("quiet"))


def test_a_difference_in_the_optimizer_names_the_key_and_both_values(run: RunFolder) -> None:
    changed(run, lambda state: groups(state, maximize=True))
    with pytest.raises(CheckpointError, match="an optimizer with maximize = true, and its config says false"):
        resume(run, LONGER, Screen("quiet"))


SCHEDULES = ["one_cycle", "cyclic", "plateau", "cosine_restarts", "step"]


@pytest.mark.parametrize(
    "words",
    [[f"scheduler={name}"] for name in SCHEDULES]
    + [[f"optimizer={name}"] for name in ("sgd", "muon", "lion", "adafactor", "nadam")]
    + [["optimizer=schedule_free", "scheduler=constant"], ["regularization.layer_decay=0.5"], ["trainer.accumulate=2"]],
    ids=" ".join,
)
def test_an_honest_checkpoint_is_gone_on_from(tmp_path: Path, words: list[str]) -> None:
    fit_words([*WORDS, *words, f"run_dir={tmp_path / 'r'}"], show="quiet")
    run = resume(RunFolder(tmp_path / "r"), LONGER, Screen("quiet"))
    assert load(run.checkpoints / "last.ckpt")["nncli"]["position"] == [3, 0]


@pytest.mark.parametrize("name", ["OneCycleLR", "CyclicLR"])
def test_a_schedule_that_moves_the_momentum_is_gone_on_from(tmp_path: Path, name: str) -> None:
    """They write the momentum into the optimizer's own settings."""
    net = torch.nn.Linear(2, 2)
    make = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    schedule: Any = (
        torch.optim.lr_scheduler.OneCycleLR(make, 0.1, total_steps=9)
        if name == "OneCycleLR"
        else torch.optim.lr_scheduler.CyclicLR(make, 0.01, 0.1, step_size_up=3)
    )
    fresh = stated([make])
    for _ in range(3):
        make.step()
        schedule.step()
    check_optimizers([make], fresh, tmp_path)
    assert "momentum" not in fresh[0][0]
    make.param_groups[0]["dampening"] = 0.5
    with pytest.raises(CheckpointError, match=r"dampening = 0\.5, and its config says 0"):
        check_optimizers([make], fresh, tmp_path)


def test_an_optimizer_of_ones_own_may_count_in_its_settings(tmp_path: Path) -> None:
    class Counts(torch.optim.SGD):
        def __init__(self, params: Any, lr: float, momentum: float) -> None:
            super().__init__(params, lr=lr, momentum=momentum)
            self.param_groups[0]["k"] = 0

    net = torch.nn.Linear(2, 2)
    make = Counts(net.parameters(), 0.1, 0.9)
    fresh = stated([make])
    make.param_groups[0]["k"] = 5
    check_optimizers([make], fresh, tmp_path)
    make.param_groups[0]["momentum"] = 0.1
    with pytest.raises(CheckpointError, match=r"momentum = 0\.1"):
        check_optimizers([make], fresh, tmp_path)


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


ANYTHING: list[Any] = [
    *(None, True, -1, 0.5, 10**30, float("nan"), "text", [], {}, [1], {"a": 1}),
    *(torch.zeros(3), torch.zeros(()), torch.zeros(1).expand(4, 4), torch.zeros(2, dtype=torch.long)),
]
FEW = 12  # of a longer list the first, the last and one in between


def leaves(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a checkpoint holds a number, a text or a tensor, as the keys that lead there."""
    if isinstance(node, dict | list) and node:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        keys = [keys[0], keys[len(keys) // 2], keys[-1]] if isinstance(node, list) and len(keys) > FEW else keys
        for key in keys:
            yield from leaves(node[key], (*at, key))
    else:
        yield at


def put(state: Any, place: tuple[Any, ...], value: Any) -> None:
    for key in place[:-1]:
        state = state[key]
    state[place[-1]] = value


def outcomes(trained: Path, folder: Path, chosen: Iterable[tuple[tuple[Any, ...], Any]]) -> list[str]:
    """What came out of a resume that was neither a message for a person nor a run that was trained to its end."""
    wrong, whole = [], load(trained / "checkpoints" / "last.ckpt")
    for place, value in chosen:
        run = RunFolder(folder / "r")
        shutil.rmtree(run.path, ignore_errors=True)
        shutil.copytree(trained, run.path)
        state = copy.deepcopy(whole)
        put(state, place, value)
        save(state, run.checkpoints / "last.ckpt")
        try:
            resume(run, LONGER, Screen("quiet"))
            assert run.status() == "finished"
        except NnError:
            continue
        except Exception as error:
            wrong.append(f"{place} = {value!r}: {type(error).__name__}: {error}")
    return wrong


def everything(trained: Path) -> list[tuple[tuple[Any, ...], Any]]:
    state = load(trained / "checkpoints" / "last.ckpt")
    found = [(place, value) for place in leaves(state) for value in ANYTHING]
    assert len(found) > 1000
    return found


def test_sixty_odd_values_in_a_checkpoint_end_in_a_message_or_a_trained_run(trained: Path, tmp_path: Path) -> None:
    wrong = outcomes(trained, tmp_path, random.Random(0).sample(everything(trained), 60))
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("share", range(8))
def test_each_odd_value_in_a_checkpoint_ends_in_a_message_or_a_trained_run(
    trained: Path, tmp_path: Path, share: int
) -> None:
    wrong = outcomes(trained, tmp_path, everything(trained)[share::8])
    assert not wrong, "\n".join(wrong)
