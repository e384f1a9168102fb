"""`nn config` as a person sees it: the tree, who set what, the report, the explanation."""

import io
import json
import re
from pathlib import Path

import pytest

from nncli.cli.config import _print_origins
from nncli.cli.problems import show_problems
from nncli.config.compose import compose
from nncli.errors import ConfigError, Problem
from nncli.terminal import Terminal
from tests.conftest import Nn

FOUR = ("model.widht=3", "optimiser=sgd", "data.batch_size=lots", "trainer.precision=fp99")


def test_show_prints_a_recipe_that_can_be_used(nn: Nn, tmp_path: Path) -> None:
    done = nn("config", "show", "recipe=digits_mlp", "model.width=7")
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "again.yaml").write_text(done.stdout)
    assert compose(["recipe=./again.yaml"]).tree.model.width == 7


def test_show_gives_a_program_values_and_origins(nn: Nn) -> None:
    told = json.loads(nn("config", "show", "model.width=7", "--json").stdout)
    assert told["config"]["model"]["width"] == 7
    assert told["origins"]["model.width"] == "you typed it"
    assert told["origins"]["model.depth"].startswith("conf/model/mlp.yaml:")


def test_on_a_terminal_each_key_shows_who_set_it(capsys: pytest.CaptureFixture[str]) -> None:
    _print_origins(compose(["model.width=7"]))
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["width:", "7", "you", "typed", "it"] for line in lines)
    assert any("depth: 2" in line and "conf/model/mlp.yaml:" in line for line in lines)


REPORT = """\
4 problems, nothing was started

  model.widht = 3                         you typed it · unknown-key
      no such key. Did you mean model.width? model takes: MODEL
  optimiser = sgd                         you typed it · unknown-key
      no such key. Did you mean optimizer=sgd?
  data.batch_size = lots                  you typed it · wrong-value
      must be a whole number, 1 or more. conf/data/_scikit.yaml:LINE says 32
  trainer.precision = fp99                you typed it · wrong-value
      must be one of auto, 32, bf16, 16

see: nn config explain model · nn config show recipe=digits_mlp
"""


def test_check_prints_every_problem_and_starts_nothing(nn: Nn, tmp_path: Path) -> None:
    done = nn("config", "check", "recipe=digits_mlp", *FOUR)
    assert (done.returncode, done.stdout) == (1, "")
    plain = re.sub(r"yaml:\d+", "yaml:LINE", re.sub(r"takes: .*", "takes: MODEL", done.stderr))
    assert plain == REPORT
    assert not list(tmp_path.iterdir())


def test_check_gives_a_program_every_problem_with_its_code(nn: Nn) -> None:
    done = nn("config", "check", "recipe=digits_mlp", *FOUR, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    problems = json.loads(done.stdout)
    assert [f"{p['key']}={p['value']}" for p in problems] == list(FOUR)
    assert [p["code"] for p in problems] == ["unknown-key", "unknown-key", "wrong-value", "wrong-value"]
    assert all(p["where"] == "you typed it" and p["text"] for p in problems)
    assert (nn("config", "check", "--json").stdout, nn("config", "check").stdout) == ("[]\n", "no problems\n")


def test_explain_a_key(nn: Nn) -> None:
    done = nn("config", "explain", "model.width", "model.width=7")
    text = " ".join(done.stdout.split())
    assert "does units in each hidden layer" in text
    assert "takes a whole number, 1 or more" in text
    assert "set by you typed it before 128 (conf/model/mlp.yaml:" in text


def test_explain_a_group(nn: Nn) -> None:
    done = nn("config", "explain", "optimizer")
    assert "optimizer=adamw" in done.stdout
    assert "Adam with decoupled weight decay" in done.stdout
    assert "optimizer.lr" in done.stdout


def test_explain_a_wrong_key_names_the_nearest(nn: Nn) -> None:
    done = nn("config", "explain", "optimizer.rl")
    assert done.returncode == 1
    assert "Did you mean optimizer.lr?" in done.stderr


def test_a_long_report_is_cut_and_hostile_text_is_made_printable() -> None:
    console = Terminal(record=True, width=200, file=io.StringIO())
    problems = [Problem(f"k{i}", "\x1b[31m[bold]x", "you typed it", "no-effect", "is wrong [/]") for i in range(80)]
    show_problems(ConfigError(problems), console)
    text = console.export_text()
    assert "and 30 more" in text
    assert "\x1b" not in text
    assert "[bold]x" in text
