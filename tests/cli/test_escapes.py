"""Every verb that shows what a file says, with files that would like to write to the terminal themselves."""

import json
import sys
from pathlib import Path

import pytest

from nncli.cli.complete import complete_data, complete_keys, complete_recipes, complete_runs, complete_words
from nncli.cli.eval import _matrix, _pairs, _rows
from nncli.cli.options import console
from nncli.run.folder import RunFolder, mark
from nncli.run.processes import rank
from tests.cli.conftest import Here
from tests.test_output import EVIL, ORDERS

NAME = "\x1b[2J\x7f\u202ename"  # as much of it as a file's name takes
YAML = json.dumps(EVIL)  # a text in YAML's double quotes too


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder in which everything that has a name or holds text holds orders to the terminal."""
    (tmp_path / "recipes").mkdir()
    raw = f"# {EVIL}\n# claim: {{metric: {YAML}, measured: {YAML}}}\n"  # YAML does not allow all of it
    (tmp_path / "recipes" / f"{NAME}.yaml").write_text(raw, encoding="utf-8")
    recipe = f"# \u202e\ndefaults:\n  - /train\n  - _self_\nrun_dir: {YAML} # \u202e\n"
    (tmp_path / "recipes" / "evil.yaml").write_text(recipe, encoding="utf-8")
    for group, headline in (("data", EVIL), ("model", "\u202e")):
        (tmp_path / "conf" / group).mkdir(parents=True)
        text = f"# {headline}\n_target_: {YAML}\n"
        (tmp_path / "conf" / group / "evil.yaml").write_text(text, encoding="utf-8")
    for number, name in enumerate(("plain", NAME)):
        run = tmp_path / "runs" / "x" / name
        run.mkdir(parents=True)
        mark(RunFolder(run))
        (run / "config.yaml").write_text(f"name: {YAML}\nseed: {number}\nkey: {YAML}\n", encoding="utf-8")
        (run / "words.txt").write_text(f"a={EVIL}\n", encoding="utf-8")
        metrics = {f"test/{EVIL}": 0.5 + number}
        summary = {"status": f"failed {EVIL}", "metrics": metrics, EVIL: [EVIL], "steps": 3, "wall_s": 1.0}
        (run / "summary.json").write_text(json.dumps(summary))
        (run / "environment.json").write_text(json.dumps({"started_at": 1.0, EVIL: EVIL}))
    rows = [f"{n},{n % 3},{'yes' if n % 2 else NAME}" for n in range(40)]
    (tmp_path / "t.csv").write_text("\n".join([f"{NAME},b,y", *rows]) + "\n", encoding="utf-8")
    return tmp_path


TABLE = ["data=csv", "data.path=t.csv", "data.target=y"]
VERBS = [
    ["recipes", "ls"],
    ["recipes", "ls", "--json"],
    ["recipes", "show", "evil"],
    ["recipes", "show", NAME],
    ["recipes", "cp", NAME],
    ["recipes", "cp", "evil", NAME],
    ["runs", "ls"],
    ["runs", "ls", "--json"],
    ["runs", "show", "plain"],
    ["runs", "show", NAME],
    ["runs", "show", "plain", "--json"],
    ["runs", "diff", "plain", NAME],
    ["runs", "rm", "plain"],
    ["eval", NAME],
    ["resume", NAME],
    ["data", "ls"],
    ["data", "ls", "--json"],
    ["data", "show", *TABLE],
    ["data", "show", *TABLE, "--json"],
    ["data", "check", *TABLE],
    ["data", "show", NAME],
    ["config", "show", "recipe=evil"],
    ["config", "show", "recipe=evil", "--json"],
    ["config", "check", "recipe=evil"],
    ["config", "explain", "run_dir", "recipe=evil"],
    ["config", "explain", "data"],
    ["config", "explain", NAME],
    ["config", "check", f"model.{NAME}={NAME}", NAME],
    ["train", f"recipe={NAME}", "--dry-run"],
    ["train", "data=evil", "model=evil"],
    ["init", f"{NAME}/t.csv/x"],
    ["verify", f"recipe={NAME}"],
    [NAME],
    ["train", f"--{NAME}"],
    ["runs", "show", "a", NAME],
    ["eval", "--part", NAME],
    ["bench", "--steps", NAME],
]


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: ascii(" ".join(v)))
def test_no_verb_passes_on_what_a_file_or_a_word_orders(here: Here, files: Path, verb: list[str]) -> None:
    done = here(*verb)
    said = done.out + done.err
    assert said.strip()
    assert not ORDERS.search(said)
    assert "Traceback" not in said
    assert "nn itself failed" not in said
    if "--json" in verb:
        json.loads(done.out, parse_constant=pytest.fail)


def test_on_a_terminal_nothing_but_rich_s_own_styles_is_sent(
    here: Here, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for verb in (["recipes", "ls"], ["config", "show", "recipe=evil"], ["runs", "ls"], ["data", "show", *TABLE]):
        done = here(*verb)
        assert done.code == 0
        assert "\x1b[1m" in done.out or verb[0] in ("runs", "config")
        for order in ("\x1b[2J", "\x1b]0;", "\x07", "\x7f", "\x9b", "\u202e"):
            assert order not in done.out, verb


def test_rows_of_a_judged_run_are_shown_in_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    labels, confusion = [EVIL, "cat"], [[1, 2], [3, 4]]
    for table in (_rows([{"class": EVIL, "f1": 0.5}]), _matrix(labels, confusion), _pairs(labels, confusion)):
        console().print(table)
    assert not ORDERS.search(capsys.readouterr().out)


def test_tab_offers_only_what_can_be_typed(files: Path) -> None:
    found = [
        *complete_words("recipe="), *complete_words("model="), *complete_words(""), *complete_recipes(""),
        *complete_runs(""), *complete_data(""), *complete_keys(""),
    ]  # fmt: skip
    assert {"recipe=evil", "model=evil", "evil", "x/plain"} <= {text for text, _ in found}
    assert all(text.isprintable() and about.isprintable() for text, about in found)


def test_a_rank_says_what_is_wrong_in_plain_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rank, "_end_with_parent", lambda: None)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(sys, "argv", ["rank", str(tmp_path / NAME), "plain", ""])
    assert rank.main() == 1
    said = capsys.readouterr().err
    assert "config.yaml" in said
    assert not ORDERS.search(said)
