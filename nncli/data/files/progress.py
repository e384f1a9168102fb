"""A progress bar on stderr for long work: only on a terminal, and only after two seconds."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from nncli.errors import printable
from nncli.output import say as say_line
from nncli.terminal import Terminal

PATIENCE = 2.0  # seconds
Item = TypeVar("Item")


def shown(items: Iterable[tuple[int, Item]], total: int | None, text: str) -> Iterator[Item]:
    """Yield the items of (amount, item) pairs, and show the progress towards `total`."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Terminal(stderr=True), transient=True)
    line = bar.add_task(text, total=total)
    began = time.monotonic()
    try:
        for amount, item in items:
            yield item
            bar.advance(line, amount)
            late = time.monotonic() - began > PATIENCE
            if late and bar.console.is_terminal and not bar.live.is_started:
                bar.start()
    finally:
        if bar.live.is_started:  # otherwise it would print a blank line if there is no terminal
            bar.stop()


def say(text: str) -> None:
    """Print one line on stderr for the waiting user."""
    say_line(printable(text, lines=False), err=True)
