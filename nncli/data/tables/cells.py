"""The cells of a column, of any type, as numbers, as dates or as text."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import numpy as np

from nncli.errors import DataError

if TYPE_CHECKING:
    import polars as pl

# a date, optionally with a time, whose fraction and zone are optional and ignored
ISO = r"^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?)?$"
DAY = ("year", "month", "day", "weekday")  # the numbers that encode a date
CLOCK = (*DAY, "seconds")


def plain(cells: "pl.Series") -> bool:
    """Whether cells are single values, unlike lists and structures."""
    import polars as pl

    return not cells.dtype.is_nested() and cells.dtype not in (pl.Binary, pl.Object)


def texts(cells: "pl.Series", missing: Collection[str]) -> "pl.Series":
    """Cells stripped of blanks; marks of missing values are null."""
    import polars as pl

    if cells.dtype.is_float():
        whole = cells.cast(pl.Int64, strict=False)
        same = (whole.cast(cells.dtype) == cells).fill_null(False)
        cells = whole.cast(pl.String).zip_with(
            same, cells.cast(pl.String)
        )  # cell by cell, since a file is read in pieces
    elif cells.dtype != pl.String:
        cells = cells.cast(pl.String)
    cells = cells.str.strip_chars()
    return cells.set(cells.is_in(list(missing)), None)


def numbers(cells: "pl.Series", missing: Collection[str]) -> tuple["pl.Series", "pl.Series"]:
    """The cells as float64, null where a value is missing, and a mask of those that are not numbers."""
    import polars as pl

    if cells.dtype != pl.String:
        fits = cells.dtype.is_numeric()
        found = cells.cast(pl.Float64) if fits else pl.Series([None], dtype=pl.Float64).new_from_index(0, len(cells))
        wrong = cells.is_not_null() if not fits else pl.Series([False]).new_from_index(0, len(cells))
        return found.fill_nan(None), wrong
    found = cells.cast(pl.Float64, strict=False)
    if found.null_count():  # blanks, missing values, text
        plain = texts(cells, missing)
        found = plain.cast(pl.Float64, strict=False)
        wrong = plain.is_not_null() & found.is_null()
    else:
        wrong = found.is_null()
    return found.fill_nan(None), wrong


def dates(cells: "pl.Series", missing: Collection[str]) -> tuple[dict[str, "pl.Series"], "pl.Series"]:
    """The parts of each date as float64, null where it is missing, and a mask of the cells that are not dates."""
    import polars as pl

    plain = texts(cells, missing)
    iso = plain.str.contains(ISO).fill_null(False)
    day = plain.set(~iso, None).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    clock = [plain.str.slice(start, 2).cast(pl.Float64, strict=False).fill_null(0.0) for start in (11, 14, 17)]
    known = day.is_not_null()
    seconds = (clock[0] * 3600 + clock[1] * 60 + clock[2]).set(~known, None)
    parts = {"year": day.dt.year(), "month": day.dt.month(), "day": day.dt.day(), "weekday": day.dt.weekday()}
    found = {name: part.cast(pl.Float64) for name, part in parts.items()} | {"seconds": seconds}
    return found, plain.is_not_null() & ~known


def moments(cells: "pl.Series", missing: Collection[str], name: str, place: Callable[[int], str]) -> np.ndarray:
    """Numbers or dates as sortable float64; raises DataError for a missing one."""
    found, wrong = numbers(cells, missing)
    if wrong.any():
        parts, wrong = dates(cells, missing)
        found = ((parts["year"] * 12 + parts["month"]) * 31 + parts["day"]) * 86400 + parts["seconds"]
    lost = found.is_null()
    if lost.any():
        row = int(lost.arg_true()[0])
        raise DataError(
            f"{place(row)}: column '{name}' holds {cells[row]!r}, no number or date to sort by; see data.time"
        )
    return found.to_numpy()
