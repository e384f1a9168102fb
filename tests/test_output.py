"""The one place that prints: no text of a file, a folder or a word reaches the terminal as an order to it."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.progress import Progress, TextColumn
from rich.table import Table
from rich.text import Text

import nncli
from nncli.errors import printable, reason
from nncli.output import as_json, finite, say
from nncli.terminal import Terminal

EVIL = "\x1b[2J\x1b]0;title\x07\x7f\x9b31m\u202e\u200b\u2066\rlast"
PLAIN = "�[2J�]0;title���31m����last"
ORDERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize(
    "code", [*range(32), *range(0x7F, 0xA0), 0x61C, 0x200B, 0x202E, 0x2028, 0x2067, 0xFEFF, 0xDC80]
)
def test_no_character_that_orders_a_terminal_about_is_printable(code: int) -> None:
    shown = printable(f"a{chr(code)}b")
    assert shown == ("a" + (chr(code) if chr(code) in "\n\t" else "�") + "b")
    assert printable(shown) == shown
    assert printable(f"a{chr(code)}b", lines=False).isprintable()


def test_letters_of_all_scripts_and_other_spaces_stay_readable() -> None:
    assert printable("naïve 手書き 数字 ✓ ·\u00a01\u202f000") == "naïve 手書き 数字 ✓ · 1 000"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_whatever_the_encoding_of_the_output_text_reaches_it(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding=encoding))
    say(f"é · 手 \udc80 {EVIL}")
    Terminal().print(Text(f"é · 手 \udc80 {EVIL}", style="bold"), soft_wrap=True)
    lines = raw.getvalue().decode(encoding).splitlines()
    assert len(lines) == 2
    assert all(line.endswith("last") and not ORDERS.search(line) for line in lines)


def test_tables_bars_and_colours_work_around_hostile_text() -> None:
    file = io.StringIO()
    console = Terminal(file=file, force_terminal=True, color_system="standard", width=200, _environ={})
    table = Table(EVIL, box=None)
    table.add_row(Text(EVIL, style="bold red"))
    console.print(table, f"[bold]{EVIL}[/] :smile:")
    bar = Progress(TextColumn("{task.description}", markup=False), console=console, transient=True)
    bar.add_task(f"[/] {EVIL}", total=2)
    with bar:
        bar.refresh()
    text = file.getvalue()
    assert "\x1b[1;31m" in text  # bold red is rich's own
    assert "[bold]" in text
    assert ":smile:" in text
    assert "[/] �[2J" in text
    assert text.count(PLAIN[:4]) >= 4
    for order in ("\x1b[2J", "\x1b]0;", "\x07", "\x7f", "\x9b", "\u202e", "\u200b", "\u2066"):
        assert order not in text


def test_json_is_json_whatever_it_holds() -> None:
    text = as_json({"a": [float("nan"), float("inf"), (1.5, EVIL)], EVIL: None})
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [None, None, [1.5, EVIL]], EVIL: None}


def test_what_is_nested_without_end_is_refused_not_followed() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="nested"):
        finite(endless)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(28, "No space left on device", "a.csv"), "a.csv: No space left on device"),
        (OSError(30, "Read-only file system", b"a.csv"), "a.csv: Read-only file system"),
        (PermissionError(13, "Permission denied", "a"), "a: permission denied; check its permissions"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError("the server went away"), "the server went away"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_what_the_system_refused_is_said_with_the_file(error: OSError, text: str) -> None:
    assert reason(error) == text


PRINTS = re.compile(r"(?<![\w.])print\(|\bstd(?:out|err)\.write|\bConsole\(|\bs?echo\(|rich\.print|rich import print")
PIPES = {
    "data/images/decode.py",
    "tune/batch_memory.py",
}  # print to the process that asked them


def test_nothing_else_in_the_package_prints() -> None:
    package = Path(nncli.__file__).parent
    found = {
        path.relative_to(package).as_posix(): hits
        for path in sorted(package.rglob("*.py"))
        if (hits := PRINTS.findall(path.read_text(encoding="utf-8")))
    }
    assert found.keys() >= PIPES  # the search finds what prints
    assert found.keys() - PIPES == {"output.py"}


def test_a_question_is_asked_in_plain_text() -> None:
    lines = [line for file in Path(nncli.__file__).parent.rglob("*.py") for line in file.read_text().splitlines()]
    asked = [line for line in lines if re.search(r"typer\.(confirm|prompt)\(", line)]
    assert asked
    assert all("typer.confirm(printable(" in line for line in asked)
