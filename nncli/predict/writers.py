"""Where predictions go: a file, which appears when it is complete, standard output, or a table on the terminal."""

import math
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from nncli.errors import NnError
from nncli.export import own
from nncli.files import named
from nncli.output import say

FORMATS = (".csv", ".parquet", ".jsonl")
OWN = "predictions"  # the folder of the cache that records them
LENGTH, WIDTH = 20, 12  # rows and columns of a table on a terminal


class Writer(Protocol):
    """Takes predictions in pieces with the same columns."""

    def write(self, frame: pl.DataFrame) -> None: ...


class Lines:
    """CSV or JSON lines to a stream."""

    def __init__(self, stream: Any, suffix: str) -> None:
        self.stream, self.suffix, self.begun = stream, suffix, False

    def write(self, frame: pl.DataFrame) -> None:
        buffer = BytesIO()
        if self.suffix == ".csv":
            frame.write_csv(buffer, include_header=not self.begun)
        else:
            frame.write_ndjson(buffer)
        self.stream.write(buffer.getbuffer())
        self.begun = True


class Parts:
    """A folder of Parquet files, which become one at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0
        folder.mkdir()

    def write(self, frame: pl.DataFrame) -> None:
        buffer = BytesIO()
        frame.write_parquet(buffer)
        (self.folder / f"{self.count:09}.parquet").write_bytes(buffer.getbuffer())
        self.count += 1

    def join(self, path: Path) -> None:
        pl.scan_parquet(self.folder / "*.parquet").sink_parquet(path)


class Screen:
    """The first predictions as a table on the terminal."""

    def __init__(self) -> None:
        self.first, self.count = pl.DataFrame(), 0

    def write(self, frame: pl.DataFrame) -> None:
        self.first = self.first.vstack(frame.head(LENGTH - self.first.height)) if self.count else frame.head(LENGTH)
        self.count += frame.height

    def show(self) -> None:
        """Print the table, and how many predictions it leaves out."""

        from rich.table import Table

        from nncli.terminal import Terminal

        table = Table(box=None, pad_edge=False, padding=(0, 1))
        for column in self.first[:, :WIDTH].iter_columns():
            table.add_column(column.name, justify="right" if column.dtype.is_numeric() else "left")
        for row in zip(*map(_cells, self.first[:, :WIDTH].iter_columns()), strict=True):
            table.add_row(*row)
        Terminal().print(table)
        more = [f"{self.count - LENGTH:,} more"] if self.count > LENGTH else []
        more += [f"{self.first.width - WIDTH:,} more columns"] if self.first.width > WIDTH else []
        if more:
            say(f"and {' and '.join(more)}; to keep all of them: --out FILE")


def _cells(column: pl.Series) -> list[str]:
    """The cells of a column as text, numbers with about six digits."""
    if not column.dtype.is_float():
        return ["" if cell is None else str(cell) for cell in column]
    highest = max((abs(value) for value in column if value is not None and math.isfinite(value)), default=0.0)
    form = ".3e" if 0 < highest < 0.01 else f".{max(0, 4 - len(str(int(highest))) + 1)}f"
    return ["" if value is None else f"{value:{form}}" for value in column]


class _Spoken:
    """Text for a terminal, which it cannot order about."""

    def write(self, text: bytes | memoryview) -> None:
        say(bytes(text).decode(), end="")


@contextmanager
def standard_output(suffix: str) -> Iterator[Writer]:
    """CSV or JSON lines."""
    if sys.stdout.isatty():
        yield Lines(_Spoken(), suffix)
        return
    yield Lines(sys.stdout.buffer, suffix)
    sys.stdout.buffer.flush()


@contextmanager
def file(path: Path) -> Iterator[Writer]:
    """A file that appears, or is replaced, when the block has ended well after writing; else nothing remains of it."""
    refuse(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    parts = draft.with_suffix(".parts")
    try:
        with _reported(path):
            stream = draft.open("wb")
            inner = Parts(parts) if path.suffix.lower() == ".parquet" else Lines(stream, path.suffix.lower())
        try:
            writer = _Told(inner, path)
            yield writer
            with _reported(path):
                if isinstance(inner, Parts) and writer.begun:
                    inner.join(draft)
                stream.flush()
                os.fsync(stream.fileno())
        finally:
            with suppress(OSError):  # what a full disk has not taken is told already
                stream.close()
        if writer.begun:
            with _reported(path):
                os.replace(draft, path)
            with suppress(OSError):  # it will not be overwritten then
                own.remember(path, OWN)
    finally:
        draft.unlink(missing_ok=True)
        shutil.rmtree(parts, ignore_errors=True)


class _Told:
    """A writer whose problems are told with the name of the file."""

    def __init__(self, inner: Writer, path: Path) -> None:
        self.inner, self.path, self.begun = inner, path, False

    def write(self, frame: pl.DataFrame) -> None:
        self.begun = True
        with _reported(self.path):
            self.inner.write(frame)


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NnError(f"{named(path)} cannot be written: {error.strerror or error}") from error
    except pl.exceptions.PolarsError as error:
        text = str(error).partition("\n")[0]
        why = re.search(r"([^:]+) \(os error \d+\)", text)
        raise NnError(f"{named(path)} cannot be written: {why[1].strip() if why else text}") from error


def refuse(path: Path) -> None:
    """Raise NnError for anything that is not a file of predictions as nn wrote it on this machine."""
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file() or not own.is_own(path, OWN)):
        raise NnError(
            f"{named(path)} exists, and is not a file that nn predict wrote here; name another one, or delete this one"
        )
