"""Read a CSV file of time series: all numbers are checked, times are checked for order and gaps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nncli.data.files.csv_file import CsvFile, is_number, read_csv
from nncli.data.files.paths import regular
from nncli.data.series.times import LOOK, form_of, parsed
from nncli.data.tables.columns import DRESSED
from nncli.errors import DataError

if TYPE_CHECKING:
    import polars as pl

HIGHEST = 1e38  # the limit of float32
Line = Callable[[int], int]  # row -> line of the file
GAP = 1.5  # times the usual step is a gap; months and years differ by less


@dataclass(frozen=True)
class Measures:
    """Values (T, F) over time, and their names."""

    values: np.ndarray
    names: list[str]
    time: str | None = None  # the column of times
    stamps: np.ndarray | None = None  # (T,) increasing numbers
    form: str | None = None  # the format of times; None for plain numbers
    gaps: list[int] = field(default_factory=list)  # rows before which time steps are missing
    line: Line = int  # the line of the file that a row is on
    source: str = "the series"  # the file, for messages


def read(path: Path, target: list[str] | None, others: list[str], time: str | None, *, needed: bool = True) -> Measures:
    """The `target` columns (None: all remaining columns of numbers), followed by the others.

    `time` is the name of a column, "auto" for the first one of dates, or None for consecutive rows. If it is not
    `needed`, it may be missing.
    """
    table, file = _open(path)
    line = file.scan.line
    if not needed and time not in table.columns:
        time = None
    if time == "auto":
        time = _find_time(table)
    _require(path, table, [*(target or []), *others, *([time] if time else [])])
    if target is None:
        left = [name for name in table.columns if name not in (*others, time)]
        target = [name for name in left if _counts(table, name)]
        if odd := next((name for name in left if name not in target and _dressed(table, name)), None):
            raise DataError(
                f"{path}, line {line(0)}: column '{odd}' is '{table[odd][0]}', a number that is not written as "
                "1234.5; write it so, or name the columns you want: data.target=[…]"
            )
        if not target:
            raise DataError(f"{path} has no column of numbers; its columns are: {', '.join(table.columns)}")
    names = [*target, *others]
    values = np.stack([_numbers(path, table, name, line) for name in names], axis=1)
    stamps, form = _stamps(path, table, time, line) if time else (None, None)
    gaps = [] if stamps is None or time is None else _gaps(path, table[time], stamps, line)
    return Measures(values, names, time, stamps, form, gaps, line, str(path))


def _open(path: Path) -> tuple["pl.DataFrame", CsvFile]:
    """All cells as text. Without a header the columns are numbered."""
    try:
        regular(path).stat()
    except OSError as problem:
        raise DataError(f"data.path is {path}, which cannot be read: {problem.strerror}") from problem
    table, file = read_csv(path, header=_named)
    if (line := file.scan.blank()) is not None:
        raise DataError(f"{path}, line {line} is blank; fill in or leave out such lines")
    return table, file


def _named(rows: list[list[str]]) -> bool:
    """Whether the first line is a header, with a cell that is neither a number nor a time."""
    import polars as pl

    return any(not is_number(cell) and not form_of(pl.Series([cell])) for cell in rows[0])


def _require(path: Path, table: "pl.DataFrame", names: list[str]) -> None:
    if missing := [name for name in names if name not in table.columns]:
        given = f"data.target, data.exogenous or data.time names '{missing[0]}'"
        raise DataError(f"{given}, which {path} has not; its columns are: {', '.join(table.columns)}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f"data: column '{twice[0]}' is named twice among target, exogenous and time")


def _cast(column: "pl.Series") -> "pl.Series":
    import polars as pl

    return column.str.strip_chars().cast(pl.Float64, strict=False)


def _counts(table: "pl.DataFrame", name: str) -> bool:
    """Whether a column is numeric: at least half of its first non-empty cells are numbers."""
    cells = table[name].head(LOOK).drop_nulls()
    return len(cells) > 0 and _cast(cells).count() * 2 >= len(cells)


def _dressed(table: "pl.DataFrame", name: str) -> bool:
    """Whether a column contains formatted numbers, such as 1,5 or 5%."""
    cells = table[name].head(LOOK).drop_nulls().str.strip_chars()
    return len(cells) > 0 and all(DRESSED.fullmatch(cell) for cell in cells)


def _numbers(path: Path, table: "pl.DataFrame", name: str, line: Line) -> np.ndarray:
    numbers = _cast(table[name])
    fine = (numbers.abs() <= HIGHEST).fill_null(value=False) & numbers.is_not_nan().fill_null(value=False)
    if fine.all():
        return numbers.to_numpy().astype(np.float32)
    row = int(fine.not_().arg_true()[0])
    cell = table[name][row]
    said = (
        "is empty"
        if cell is None or not cell.strip()
        else f"is '{cell}', which is not a finite number within ±{HIGHEST:g}"
    )
    more = f" ({int(fine.not_().sum()):,} such cells)" if fine.not_().sum() > 1 else ""
    raise DataError(f"{path}, line {line(row)}: column '{name}' {said}{more}; fill in or leave out such lines")


def _find_time(table: "pl.DataFrame") -> str | None:
    """The first column of dates, or else the first column if it increases evenly, such as years."""
    for name in table.columns:
        if not _counts(table, name) and form_of(table[name]):
            return name
    first = table.columns[0]
    steps = np.diff(_cast(table[first].head(LOOK)).to_numpy())
    return first if table.width > 1 and len(steps) > 1 and steps[0] > 0 and (steps == steps[0]).all() else None


def _stamps(path: Path, table: "pl.DataFrame", time: str, line: Line) -> tuple[np.ndarray, str | None]:
    form = form_of(table[time])
    stamps = parsed(table[time], form) if form else _cast(table[time])
    if stamps.has_nulls():
        row = int(stamps.is_null().arg_true()[0])
        like = f" like {table[time][0]}" if row else ""
        raise DataError(f"{path}, line {line(row)}: column '{time}' is '{table[time][row]}', no time{like}")
    return stamps.to_numpy().astype(np.float64), form


def _gaps(path: Path, written: "pl.Series", stamps: np.ndarray, line: Line) -> list[int]:
    steps = np.diff(stamps)
    if len(back := np.flatnonzero(steps <= 0)):
        row = int(back[0]) + 1
        raise DataError(
            f"{path}, line {line(row)}: {written[row]} does not come after {written[row - 1]} above it; "
            "one series, sorted by time, is needed. With data.time=null the lines are taken as they stand"
        )
    return (np.flatnonzero(steps > GAP * np.median(steps)) + 1).tolist() if len(steps) else []
