"""What is seen of a sweep: the table, the page with its plots, the best line, and the refit with other seeds."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from math import log10
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import yaml
from optuna.study import StudyDirection
from PIL import Image
from rich.console import Console

from nncli.errors import NnError
from nncli.insight import drawing
from nncli.output import as_json
from nncli.run.spread import spread
from nncli.sweep.best import best, refit
from nncli.sweep.page import page
from nncli.sweep.show import refit_table, show, tables
from nncli.sweep.storage import storage

SCRIPT = "<script>alert(1)</script>"
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A sweep's folder, whose trials were not trained: the rate matters, `nothing` does nothing."""

    def sweep(count: int = 30, *, two: bool = False, name: str = "digits_sweep", fixed: tuple[str, ...] = ()) -> Path:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        metrics, ways = ["val/accuracy", "parameters"][: 1 + two], ["max", "min"][: 1 + two]
        lists = {"words": ["recipe=digits_mlp"], "fixed": ["recipe=digits_mlp", *fixed]}
        facts = {**lists, "metrics": metrics, "directions": ways, "settings": {}, "config": ""}
        (folder / "sweep.yaml").write_text(yaml.safe_dump(facts))
        study = optuna.create_study(
            study_name=name,
            storage=storage(str(folder / "study.log")),
            directions=[StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE][: 1 + two],
            sampler=optuna.samplers.RandomSampler(seed=0),
        )
        for slot in range(count + 1):
            study.enqueue_trial({}, user_attrs={"slot": slot, "attempt": 0})
        for slot in range(count):  # and one is left waiting
            _tell(study, study.ask(), slot, two)
        return folder

    return sweep


def _tell(study: Any, trial: Any, slot: int, two: bool) -> None:
    rate = trial.suggest_float("optimizer.lr", 1e-4, 1e-1, log=True)
    trial.suggest_float("nothing", 0, 1)
    optimizer = trial.suggest_categorical("optimizer", ["adamw", "sgd", SCRIPT])
    width = trial.suggest_int("model.width", 8, 64)
    if optimizer == "sgd":
        trial.suggest_float("optimizer.momentum", 0, 0.99)
    noise = 0.01 * np.random.default_rng(slot).normal()
    accuracy = 0.95 - 0.06 * (log10(rate) + 2.2) ** 2 + noise
    if slot % 10 == 4:
        study._storage.set_trial_user_attr(trial._trial_id, "why", f"the loss is NaN {SCRIPT}")
        study._storage.set_trial_user_attr(trial._trial_id, "replaced", False)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    elif slot % 10 == 7 and not two:
        trial.report(accuracy - 0.2, 1)
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        study.tell(trial, [accuracy, 64.0 * width][: 1 + two])


def _printed(*parts: Any) -> str:
    console = Console(width=200, record=True, quiet=True)
    with console.capture() as said:
        console.quiet = False
        console.print(*parts, sep="\n")
    return said.get()


def test_show_ranks_the_trials_and_changes_nothing(make: Make) -> None:
    folder = make()
    before = {path: path.read_bytes() for path in folder.iterdir()}
    facts = show(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert facts["counts"] == {"waiting": 1, "running": 0, "complete": 24, "pruned": 3, "failed": 3}
    done = [one["metrics"]["val/accuracy"] for one in facts["trials"] if one["state"] == "complete"]
    assert done == sorted(done, reverse=True)
    assert facts["best"][0]["trial"] == facts["trials"][0]["trial"]
    assert json.loads(as_json(facts))["trials"][-1]["why"].startswith("the loss is NaN")
    text = _printed(*tables(facts))
    assert "24 complete, 3 pruned, 3 failed" in text
    assert "trial 4 failed: the loss is NaN" in text
    assert "… and 10 more" in text


@pytest.mark.parametrize("count", [30, 60])
def test_importance_puts_the_learning_rate_above_a_key_that_does_nothing(make: Make, count: int) -> None:
    folder = make(count)
    shares = show(folder)["importance"]["val/accuracy"]
    assert next(iter(shares)) == "optimizer.lr"
    assert shares["optimizer.lr"] > 0.5 > 5 * shares["nothing"]
    assert "optimizer.momentum" in shares, "a key that only some trials have"
    text = page(folder).read_text()
    assert text.index(f"optimizer.lr: {shares['optimizer.lr']:.1%}") < text.index(f"nothing: {shares['nothing']:.1%}")


class Parsed(HTMLParser):
    """The tags that are open at the end, the names of all, and the rows of the table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("two", [False, True])
def test_the_page_needs_no_script_and_no_network(make: Make, two: bool) -> None:
    file = page(make(two=two))
    text = file.read_text()
    parsed = Parsed(text)
    names = [tag for tag, _ in parsed.all]
    assert not parsed.open
    assert not {"script", "link", "img", "iframe", "object"} & set(names)
    assert not any(key in ("src", "href") or key.startswith("on") for _, keys in parsed.all for key in keys)
    assert names.count("tr") == 1 + 30 + 3, "the head, the trials that have begun, and the errors"
    drawings = [keys["aria-label"] for tag, keys in parsed.all if tag == "svg"]
    assert len(drawings) == (8 if two else 4)
    assert ("Pareto front" in drawings) == two
    assert "&lt;script&gt;alert(1)" in text
    pictures = sorted(path.stem for path in (file.parent / "plots").iterdir())
    assert {"parallel", "history_parameters", "pareto"} <= set(pictures) if two else len(pictures) == 4
    for path in (file.parent / "plots").iterdir():
        with Image.open(path) as image:
            colours = image.getcolors(1 << 24) or []
        assert len(colours) > 10, f"{path.name} is empty"
    assert page(file.parent) == file, "again, over the same files"


def test_trials_without_results_are_shown_too(make: Make) -> None:
    for count in (0, 1, 3):
        folder = make(count, name=f"few_{count}")
        text = page(folder).read_text()
        assert ("No trial is complete yet" in text) == (count == 0)
        assert _printed(*tables(show(folder)))
    with pytest.raises(NnError, match="no complete trial"):
        best(make(0, name="none"))


def test_what_is_no_sweep_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(NnError, match=r"is not a sweep"):
        show(tmp_path)
    folder = make(1)
    (folder / "study.log").unlink()
    with pytest.raises(NnError, match=r"has no study\.log, .* nn sweep --resume digits_sweep"):
        show(folder)
    assert not (folder / "study.log").exists()
    (folder / "sweep.yaml").write_text("[")
    with pytest.raises(NnError, match=r"not as nn sweep writes it"):
        show(folder)


def test_the_best_line_is_quoted_and_evaluates_the_test_part(make: Make) -> None:
    folder = make(fixed=("test=false", "+note=two words"))
    found = best(folder)
    assert len(found) == 1
    words = shlex.split(found[0]["type"])
    assert words[:4] == ["nn", "train", "recipe=digits_mlp", "+note=two words"]
    assert not any(word.startswith("test=") for word in words)
    picked = dict(word.split("=", 1) for word in words[4:])
    assert picked["optimizer"] == found[0]["values"]["optimizer"]
    assert float(picked["optimizer.lr"]) == pytest.approx(found[0]["values"]["optimizer.lr"], rel=1e-5)


def test_two_metrics_have_a_front_on_which_no_trial_is_worse_in_both(make: Make) -> None:
    folder = make(two=True)
    front = [(one["metrics"]["val/accuracy"], one["metrics"]["parameters"]) for one in best(folder)]
    others = [tuple(one["metrics"].values()) for one in show(folder)["trials"] if one["state"] == "complete"]
    assert 1 < len(front) < len(others)
    assert front == sorted(front, reverse=True)
    for one in others:
        beaten = any(a >= one[0] and b <= one[1] and (a, b) != one for a, b in others)
        assert beaten != (one in front)


def test_the_interval_is_students() -> None:
    found = spread([0.9, 0.92, 0.94])
    assert found.mean == pytest.approx(0.92)
    assert found.high - found.mean == pytest.approx(4.3027 * 0.02 / 3**0.5, rel=1e-4)


def test_a_refit_trains_once_with_new_seeds(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NN_RUNS", str(tmp_path / "runs"))
    folder = make(1, fixed=("trainer.max_epochs=1", "test=false"))
    study = folder / "study.log"
    study.write_text(study.read_text().replace("nothing", "regularization.dropout").replace(SCRIPT, "sgdw"))
    said: list[str] = []
    found = refit(folder, 1, said.append, beside=True)
    config = yaml.safe_load((Path(found["refits"]["refit-0000"]["runs"][0]) / "config.yaml").read_text())
    assert config["seed"] == 1, "not the seed that the trials had"
    assert "test/accuracy" in found["refits"]["refit-0000"]["metrics"]
    assert "refit-default" in _printed(refit_table(found))
    assert len(said) == 2
    assert refit(folder, 1, said.append, beside=True) == found
    assert len(said) == 2, "nothing was trained again"
    (folder / "configs" / "refit-0000-0.yaml").write_text("of another recipe")
    with pytest.raises(NnError, match="before the recipe changed"):
        refit(folder, 1, said.append)


def test_ticks_are_round_numbers() -> None:
    def texts(axis: drawing.Axis) -> list[str]:
        return [text for _, text in axis.ticks]

    assert texts(drawing.numbers(1e-4, 1e-1, log=True)) == ["1e-4", "0.001", "0.01", "0.1"]
    assert texts(drawing.numbers(1, 4, whole=True)) == ["1", "2", "3", "4"]
    assert texts(drawing.numbers(0, 0.5, room=0)) == ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]
    assert len(texts(drawing.spread([1e-9, 1e9]))) > 3
    assert all(0 <= place <= 1 for place, _ in drawing.spread([0.9, 0.95]).ticks)
    for same in ([0.0, 0.0], [5.0, 5.0], [1e-7, 1e-7], []):
        assert texts(drawing.spread(same)), same


@pytest.mark.slow
def test_a_browser_shows_the_page_without_an_error(make: Make, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no chromium")
    file, shot = page(make(two=True)), tmp_path / "shot.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=1040,2600"]
    done = subprocess.run(
        [browser, *options, f"--screenshot={shot}", f"--user-data-dir={tmp_path / 'profile'}", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    with Image.open(shot) as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 24) or []}
    assert {(232, 113, 10), (31, 95, 168), (207, 34, 46)} <= colours, "best, complete and failed trials"
