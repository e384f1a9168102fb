"""Encode rows of a table as stored numbers, from the `facts` of the training part alone. Without torch.

`facts["kinds"]` has the kind of each input column: number, category, date or datetime; `facts["categories"]` the
values of each category, whose codes count from 1: 0 is a missing, rare or unknown value.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nncli.data.numbers import Samples, known
from nncli.data.tables.cells import CLOCK, DAY, dates, numbers, plain, texts
from nncli.data.tables.columns import shown
from nncli.errors import DataError

if TYPE_CHECKING:
    import polars as pl

Place = Callable[[int], str]
LARGEST = float(np.finfo(np.float32).max)


class Wrong(NamedTuple):
    """The cells of a column that cannot be encoded, and what they must be."""

    name: str
    cells: "pl.Series"
    mask: "pl.Series"
    wanted: str

    def reason(self, row: int) -> str:
        return f"column '{self.name}' holds '{shown(str(self.cells[row]).strip())}', which is not {self.wanted}"


def stored(kinds: Mapping[str, str]) -> list[str]:
    """The names of the stored numbers: that of the column, or for a date one for each of its parts."""
    parts = {"date": DAY, "datetime": CLOCK}
    return [
        text
        for name, kind in kinds.items()
        for text in ([f"{name}.{p}" for p in parts[kind]] if kind in parts else [name])
    ]


def encode(raw: Any, samples: Samples) -> np.ndarray:
    """A raw row as float32 (F,), or several as (N, F), for the net's transform.

    A row is a mapping from column names, which may have more columns than needed, or the values of the columns in
    order; several are a list, or a data frame of polars or pandas.
    """
    rows = _listed(raw)
    one = isinstance(rows, Mapping) or (
        isinstance(rows, list | tuple) and len(rows) > 0 and not isinstance(rows[0], Mapping | list | tuple)
    )
    found, bad = encode_rows([rows] if one else rows, samples)
    if bad:
        row = min(bad)
        raise DataError(bad[row] if one else f"row {row + 1}: {bad[row]}")
    return found[0] if one else found


def encode_rows(raw: Any, samples: Samples) -> tuple[np.ndarray, dict[int, str]]:
    """Raw rows as float32 (N, F), and for each row that cannot be encoded the reason; its values mean nothing."""
    columns, bad = _columns(raw, list(known(samples, "kinds")))
    count = max(len(cells) for cells in columns.values())
    out = np.empty((count, len(stored(samples["kinds"]))), dtype=np.float32)
    wrong = fill(out, columns, samples)
    return out, reasons(wrong) | bad


def numbers_of(frame: "pl.DataFrame", samples: Samples) -> tuple[np.ndarray, dict[int, str]]:
    """The columns of numbers of a data frame as float64 (N, F), and for each row with other cells the reason."""
    names = list(samples.get("columns") or frame.columns)
    if [len(names)] != list(known(samples, "shape")):
        raise DataError(f"a sample of this data has the shape {samples['shape']}; a row has {len(names)} columns")
    columns, _ = _columns(frame, names)
    out = np.empty((frame.height, len(names)), dtype=np.float64)
    wrong = fill(out, columns, {"kinds": dict.fromkeys(names, "number"), "missing": [""], "categories": {}})
    gaps = np.isnan(out)
    empty = {int(row): f"column '{names[gaps[row].argmax()]}' is empty" for row in np.flatnonzero(gaps.any(axis=1))}
    return out, empty | reasons(wrong)


def fill(out: np.ndarray, columns: Mapping[str, "pl.Series"], samples: Samples) -> list[Wrong]:
    """Encode the cells of each column into its columns of `out` (N, F); returns the columns with unusable cells."""
    missing, at, found = samples["missing"], 0, list[Wrong]()
    for name, kind in samples["kinds"].items():
        parts, wrong, wanted = _encoded(columns[name], kind, missing, samples["categories"].get(name))
        for values in parts:
            with np.errstate(over="ignore"):  # too large numbers, which are among the wrong ones
                out[:, at] = values
            at += 1
        if wrong is not None and wrong.any():
            found.append(Wrong(name, columns[name], wrong, wanted))
    return found


def reasons(wrong: Sequence[Wrong]) -> dict[int, str]:
    """Why each row with unusable cells cannot be encoded: its first one."""
    found: dict[int, str] = {}
    for column in wrong:
        for row in column.mask.arg_true().to_list():
            found.setdefault(row, column.reason(row))
    return found


def _listed(raw: Any) -> Any:
    """Lists and mappings from arrays, tensors and the data frames of pandas; those of polars unchanged."""
    import polars as pl

    if isinstance(raw, pl.DataFrame | list | tuple | Mapping):
        return raw
    return raw.to_dict("records") if hasattr(raw, "to_dict") else np.asarray(raw).tolist()


def _columns(raw: Any, names: Sequence[str]) -> tuple[dict[str, "pl.Series"], dict[int, str]]:
    """The cells of each column, and why rows that are none cannot be used."""
    import polars as pl

    raw = _listed(raw)
    if isinstance(raw, pl.DataFrame):
        if lost := [name for name in names if name not in raw.columns]:
            raise DataError(f"column '{lost[0]}' is missing; the net was trained on {', '.join(names)}")
        there = {name: raw.get_column(name) for name in names}
        if odd := next((name for name, cells in there.items() if not plain(cells)), None):
            raise DataError(f"column '{odd}' is of type {there[odd].dtype}, which is no number, text or date")
        return there, {}
    rows, bad = list[Mapping[str, Any]](), dict[int, str]()
    for place, row in enumerate(raw):
        if isinstance(row, Mapping):
            lost = [name for name in names if name not in row]
            if lost:
                bad[place] = f"column '{lost[0]}' is missing; the net was trained on {', '.join(names)}"
            rows.append(row)
        elif isinstance(row, list | tuple) and len(row) == len(names):
            rows.append(dict(zip(names, row, strict=True)))
        else:
            count = len(row) if isinstance(row, list | tuple) else 1
            bad[place] = f"a row has {len(names)} values ({', '.join(names)}); this one has {count}"
            rows.append({})
    return {name: as_text(row.get(name) for row in rows) for name in names}, bad


def codes(column: "pl.Series", values: Sequence[str], missing: Sequence[str]) -> np.ndarray:
    """The index of each cell among the values, from 1; 0 for all others."""
    import polars as pl

    if not values:
        return np.zeros(len(column), dtype=np.float32)
    plain = texts(column, missing)
    places = pl.Series(range(1, len(values) + 1), dtype=pl.Float32)
    known = pl.Series(list(values), dtype=pl.String)
    return plain.replace_strict(known, places, default=0.0, return_dtype=pl.Float32).fill_null(0.0).to_numpy()


def _encoded(
    column: "pl.Series", kind: str, missing: Sequence[str], values: Sequence[str] | None
) -> tuple[list[np.ndarray], "pl.Series | None", str]:
    """The stored numbers of a column, a mask of the cells that cannot be used, and what they must be."""
    if kind == "category":
        return [codes(column, values or (), missing)], None, ""
    if kind == "number":
        found, wrong = numbers(column, missing)
        return [found.to_numpy()], wrong | (found.abs() > LARGEST).fill_null(False), "a number that can be used"
    parts, wrong = dates(column, missing)
    like = "2024-01-31" if kind == "date" else "2024-01-31 12:30:00"
    names = DAY if kind == "date" else CLOCK
    return [parts[part].to_numpy() for part in names], wrong, f"a date such as {like} that can be used"


def as_text(values: Any) -> "pl.Series":
    """Values of any JSON type as text."""
    import polars as pl

    def text(value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool | np.bool_):
            return str(value).lower()
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

    return pl.Series([text(value) for value in values], dtype=pl.String)
