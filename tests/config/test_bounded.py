"""Large configs: time grows no faster than they do, and the report stays readable."""

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.cli.problems import show_problems
from nncli.config.check import check
from nncli.config.compose import compose, freeze, load_frozen
from nncli.config.explain import explain
from nncli.config.used_keys import unread
from nncli.errors import ConfigError, Problem
from nncli.terminal import Terminal
from tests.config.sections import SECTIONS

HEAD = "# large\ndefaults:\n  - /train\n  - _self_\n"
FEW = 100
STEEPEST = 2.2
FLAT = 5_000  # calls that are no growth
HANGS = 300.0  # seconds, on a machine that does much else


def _keys(count: int, indent: int = 0, value: str = "{i}") -> str:
    return "".join(f"{' ' * indent}key_{i}: {value.format(i=i)}\n" for i in range(count))


SHAPES: dict[str, Callable[[int], str]] = {
    "root": lambda n: _keys(n),
    "regularization": lambda n: "regularization:\n" + _keys(n, 2),
    "list": lambda n: f"data:\n  path: [{', '.join(map(str, range(4 * n)))}]\n",
    "parts": lambda n: f"transform:\n  augment: [{', '.join(['{_target_: os.system}'] * n)}]\n",
    "chain": lambda n: "k0: 1\n" + "".join(f"k{i + 1}: ${{k{i}}}\n" for i in range(n // 10)),
    "one key": lambda n: "regularization:\n" + _keys(n, 2, "${{seed}}"),
    "deep": lambda n: "".join(
        f"w{j}:\n{''.join('  ' * (d + 1) + f'd{d}:' + chr(10) for d in range(30))}{'  ' * 31}x: 1\n"
        for j in range(n // 32)
    ),
}


def _calls(work: Callable[[], object]) -> int:
    """How many functions are called: as telling as the time, and the same on a busy machine."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def _each_step(words: list[str]) -> dict[str, int]:
    """The work of each step, from the words to a frozen config and back."""
    kept = []
    took = {"compose": _calls(lambda: kept.append(compose(words)))}
    config, frozen = kept[0], Path("frozen.yaml").absolute()
    took["check"] = _calls(lambda: check(config, SECTIONS))
    took["unread"] = _calls(lambda: unread(config))
    took["explain"] = _calls(lambda: explain(config, "model.width", SECTIONS))
    took["freeze"] = _calls(lambda: frozen.write_text(freeze(config)))
    took["load_frozen"] = _calls(lambda: load_frozen(frozen))
    return took


@pytest.fixture(autouse=True, scope="module")
def _imported() -> None:
    """What the first check imports is not counted."""
    check(compose([]), SECTIONS)


def _grows_steadily(measure: Callable[[int], dict[str, int]], few: int) -> None:
    """Twice the size adds twice the work, and a little, where a square would add up to four times as much."""
    began = time.monotonic()
    one, two, four = (measure(count) for count in (few, 2 * few, 4 * few))
    more = {step: (two[step] - one[step], four[step] - two[step]) for step in four}
    assert {step: pair for step, pair in more.items() if pair[1] > STEEPEST * pair[0] + FLAT} == {}
    assert time.monotonic() - began < HANGS


@pytest.mark.parametrize("shape", SHAPES)
def test_the_work_grows_as_the_recipe_does(shape: str) -> None:
    def measure(count: int) -> dict[str, int]:
        Path("large.yaml").write_text(HEAD + SHAPES[shape](count))
        return _each_step(["recipe=./large.yaml"])

    _grows_steadily(measure, FEW)


TYPED: dict[str, Callable[[int], list[str]]] = {
    "added": lambda n: [f"+regularization.new_{i}=1" for i in range(n)],
    "misspelt": lambda n: [f"regularization.kye_{i}=1" for i in range(n)],
    "unknown": lambda n: [f"qqq{i}=1" for i in range(n)],
    "lists": lambda n: [f"+a{i}=[{','.join(['1'] * 4000)}]" for i in range(n)],
}


@pytest.mark.parametrize("kind", TYPED)
def test_the_work_grows_as_the_words_do(kind: str) -> None:
    Path("large.yaml").write_text(HEAD + "regularization:\n" + _keys(200, 2))

    compose(TYPED[kind](FEW))  # Hydra's parser learns as it reads, which is not counted
    _grows_steadily(lambda count: _each_step(["recipe=./large.yaml", *TYPED[kind](count)]), FEW)


@pytest.mark.parametrize("entries", ["  - /model@m{i}: mlp\n", "  - /model@m{i}: nope\n", "  - /model: mlp\n"])
def test_a_defaults_list_of_a_thousand_entries_is_refused_in_time(entries: str) -> None:
    lines = "".join(entries.format(i=i) for i in range(1000))
    Path("large.yaml").write_text(f"# large\ndefaults:\n  - /train\n{lines}  - _self_\n")
    (problem,) = compose(["recipe=./large.yaml"]).problems
    assert (problem.key, problem.where, problem.code) == ("defaults", "large.yaml:2", "too-large")
    assert "1,002 files; at most 300" in problem.text


def test_files_that_include_each_other_twice_each_end(tmp_path: Path) -> None:
    folder = tmp_path / "conf" / "model"
    folder.mkdir(parents=True)
    for i in range(24):
        (folder / f"m{i}.yaml").write_text(f"# m\ndefaults:\n  - m{i + 1}@x\n  - m{i + 1}@y\n  - _self_\n")
    (folder / "m24.yaml").write_text("# m\nwidth: 1\n")
    Path("r.yaml").write_text("# r\ndefaults:\n  - /train\n  - override /model: m0\n  - _self_\n")
    began = time.monotonic()
    assert "more than 300" in compose(["recipe=./r.yaml"]).problems[0].text
    assert time.monotonic() - began < HANGS


def test_what_is_too_long_for_the_command_line_belongs_into_a_recipe() -> None:
    items = "model.hidden=[" + ",".join(["1"] * 2000) + "]"
    many = [f"+regularization.key_{i}={'x' * 900}" for i in range(200)]
    for words in ([items], many):
        (problem,) = compose(words).problems
        assert (problem.code, problem.text.endswith("into a recipe")) == ("too-large", True)


def test_the_report_stays_short_whatever_is_wrong() -> None:
    Path("large.yaml").write_text(f"{HEAD}run_dir: {'x' * 400_000}\nname: {'y' * 400_000}\nmodel:\n  {'w' * 900}: 1\n")
    config = compose(["recipe=./large.yaml", "run_dir.x=1"])
    problems = [
        *check(config, SECTIONS),
        *(Problem("k" * 9000, "v" * 9000, "", "no-effect", "t" * 9000) for _ in range(80)),
    ]
    error = ConfigError(problems)
    console = Terminal(record=True, width=200, file=io.StringIO())
    show_problems(error, console)
    for text in (console.export_text(), str(error)):
        assert len(text) < 200_000
        assert f"and {len(problems) - 50} more" in text


def test_more_choices_than_a_recipe_has_are_refused() -> None:
    began = time.monotonic()
    problems = compose([f"+model@m{i}=mlp" for i in range(200)]).problems
    assert len(problems) == 150
    assert {problem.code for problem in problems} == {"too-large"}
    assert "50" in problems[0].text
    assert time.monotonic() - began < HANGS
