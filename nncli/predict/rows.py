"""The rows of CSV, Parquet and JSON lines as cells, in pieces. A row that cannot be read is a fault, not the end."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl

from nncli.data.files.csv_file import CsvFile
from nncli.data.files.parquet_file import STRETCH
from nncli.data.numbers import Samples
from nncli.data.tables.encode import as_text
from nncli.data.tables.table_file import open_rows, require, rows_of
from nncli.errors import DataError
from nncli.files import named

JSON = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Rows:
    """Some rows: their cells, the place of each in the file, and why some of them cannot be used."""

    cells: pl.DataFrame
    places: np.ndarray  # lines of a CSV file, else rows from 1
    faults: dict[int, str] = field(default_factory=dict)  # by position in the piece

    def good(self) -> pl.DataFrame:
        """The cells of the rows without faults."""
        return self.cells[np.delete(np.arange(len(self.places)), list(self.faults))] if self.faults else self.cells


@dataclass(frozen=True)
class RowFile:
    """A file of rows: the names of its columns, the number of its rows, and how they are read."""

    names: list[str]
    total: int
    read: Callable[[], Iterator[Rows]]


def read_rows(path: Path, samples: Samples) -> RowFile:
    """A file of rows to encode, which has the input columns of a model."""
    if path.suffix.lower() in JSON:
        return _json(path, list(samples.get("kinds") or samples.get("columns") or ()), samples.get("column") or "text")
    file = open_rows(path, samples)

    def read() -> Iterator[Rows]:
        if isinstance(file, CsvFile) and file.scan.uneven:
            yield _uneven(file)
        for low, cells in rows_of(file):
            rows = np.arange(low, low + cells.height)
            yield Rows(cells, file.scan.lines(rows) if isinstance(file, CsvFile) else rows + 1)

    uneven = len(file.scan.uneven) if isinstance(file, CsvFile) else 0
    return RowFile(file.names, len(file) + uneven, read)


def _uneven(file: CsvFile) -> Rows:
    """The lines with too few or too many fields, with the cells that there are."""
    found, width = list[list[str | None]](), len(file.names)
    with BytesIO(file.source) if isinstance(file.source, bytes) else file.source.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if number in file.scan.uneven:
                cells = next(csv.reader([line.decode("utf-8", "replace").strip()], delimiter=file.separator), [])
                found.append([*cells, *[None] * width][:width])
    cells = pl.DataFrame(found, schema=dict.fromkeys(file.names, pl.String), orient="row")
    return Rows(cells, np.array(sorted(file.scan.uneven)), dict(enumerate(file.scan.uneven.values())))


def _json(path: Path, wanted: Sequence[str], text: str) -> RowFile:
    try:
        with path.open("rb") as file:
            total = sum(bool(line.strip()) for line in file)
            file.seek(0)
            first = _parsed(islice(_numbered(file), STRETCH), wanted, text)[1]
    except OSError as problem:
        raise DataError(f"{named(path)} cannot be read: {problem.strerror}") from problem
    names = list(dict.fromkeys(name for row in first for name in row))
    if not names:
        raise DataError(f"{named(path)} has no line that is a JSON object")
    require(path, names, wanted)

    def read() -> Iterator[Rows]:
        with path.open("rb") as file:
            lines = _numbered(file)
            while some := list(islice(lines, STRETCH)):
                places, rows, faults = _parsed(some, wanted, text)
                cells = {name: as_text(row.get(name) for row in rows) for name in names}
                yield Rows(pl.DataFrame(cells), places, faults)

    return RowFile(names, total, read)


def _numbered(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(file, 1) if line.strip())


def _parsed(
    lines: Iterable[tuple[int, bytes]], wanted: Sequence[str], text: str
) -> tuple[np.ndarray, list[dict[str, Any]], dict[int, str]]:
    """The number of each line, its values by name, and what is wrong with some. A list has the values in order."""
    places, rows, faults = [], [], {}
    for place, (number, line) in enumerate(lines):
        try:
            value = json.loads(line)
            if b"\\u" in line:  # half of a surrogate pair is no character
                json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            value, faults[place] = {}, "this line has half of a character"
        except (ValueError, RecursionError):
            value, faults[place] = {}, "this line is not JSON"
        if isinstance(value, str):
            value = {text: value}
        elif isinstance(value, list) and len(value) == len(wanted):
            value = dict(zip(wanted, value, strict=True))
        elif not isinstance(value, dict):
            value, faults[place] = {}, "this line is no JSON object"
        rows.append(value)
        places.append(number)
    return np.array(places, dtype=np.int64), rows, faults
