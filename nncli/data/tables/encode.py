"""Encode rows of a table as stored numbers, from the `facts` of the training part alone.

`facts["kinds"]` has the kind of each input column: number, category, date or datetime; `facts["categories"]` the
values of each category, whose codes count from 1: 0 is a missing, rare or unknown value.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from nncli.data.encode import known
from nncli.data.tables.cells import CLOCK, DAY, dates, numbers, texts
from nncli.data.tables.columns import shown
from nncli.data.tables.table_file import File, cells
from nncli.errors import DataError

if TYPE_CHECKING:
    import polars as pl

Facts = Mapping[str, Any]
Place = Callable[[int], str]
LARGEST = float(np.finfo(np.float32).max)
CROWD = 200_000  # distinct values of a category that are counted; beyond that, the rarest are dropped


def stored(kinds: Mapping[str, str]) -> list[str]:
    """The names of the stored numbers: that of the column, or for a date one for each of its parts."""
    parts = {"date": DAY, "datetime": CLOCK}
    return [
        text
        for name, kind in kinds.items()
        for text in ([f"{name}.{p}" for p in parts[kind]] if kind in parts else [name])
    ]


def sizes_of(x: Tensor, facts: Facts) -> list[int]:
    """How many input values each stored number becomes (see the transform `table`), from the training part."""
    values = {
        name: len(facts["categories"].get(name, ())) for name, kind in facts["kinds"].items() if kind == "category"
    }
    gaps = [bool(column.isnan().any()) for column in x.unbind(1)]
    wide = [max(3, values[name] + 1) if name in values else 1 for name in facts["columns"]]
    dated = {f"{name}.{part}" for name, kind in facts["kinds"].items() if kind != "number" for part in CLOCK[1:]}
    flags = [
        size == 1 and gap and name not in dated for name, size, gap in zip(facts["columns"], wide, gaps, strict=True)
    ]
    return [size + flag for size, flag in zip(wide, flags, strict=True)]


def encode(raw: Any, facts: Facts) -> Tensor:
    """A raw row as float32 (F,), or several as (N, F), for the net's transform.

    A row is a mapping from column names, which may have more columns than needed, or the values of the columns in
    order; several are a list, or a data frame of polars or pandas.
    """
    import polars as pl

    kinds: Mapping[str, str] = known(facts, "kinds")
    if isinstance(raw, pl.DataFrame):
        count, there = raw.height, {name: raw.get_column(name) for name in kinds if name in raw.columns}
    else:
        one, rows = _rows(raw, list(kinds))
        if one:
            return encode(rows, facts)[0]
        count = len(rows)
        held = {name for row in rows for name in row}
        there = {name: _as_text(row.get(name) for row in rows) for name in kinds if name in held}
    if lost := [name for name in kinds if name not in there]:
        raise DataError(f"column '{lost[0]}' is missing; the net was trained on {', '.join(kinds)}")
    out = np.empty((count, len(stored(kinds))), dtype=np.float32)
    fill(out, there, facts, lambda row: f"row {row + 1}")
    return torch.from_numpy(out)


def _rows(raw: Any, names: Sequence[str]) -> tuple[bool, list[Mapping[str, Any]]]:
    """Whether `raw` is a single row, and the rows as mappings from column names."""
    if hasattr(raw, "to_dict"):  # a data frame of pandas
        raw = raw.to_dict("records")
    if isinstance(raw, np.ndarray | Tensor):
        raw = raw.tolist()
    one = bool(raw) and (isinstance(raw, Mapping) or not isinstance(raw[0], Mapping | list | tuple))
    rows = [raw] if one else list(raw)
    if odd := next((row for row in rows if not isinstance(row, Mapping) and len(row) != len(names)), None):
        raise DataError(f"a row has {len(names)} values ({', '.join(names)}); this one has {len(odd)}")
    named = [row if isinstance(row, Mapping) else dict(zip(names, row, strict=True)) for row in rows]
    return one, named


def fill(out: np.ndarray, columns: Mapping[str, "pl.Series"], facts: Facts, place: Place) -> None:
    """Encode the cells of each column into its columns of `out` (N, F)."""
    missing, at = facts["missing"], 0
    for name, kind in facts["kinds"].items():
        for values in _encoded(columns[name], name, kind, missing, facts["categories"].get(name), place):
            out[:, at] = values
            at += 1


def encode_file(file: File, facts: Facts, order: Tensor) -> Tensor:
    """These rows of a file, encoded in this order, without further memory."""
    out = np.empty((len(order), len(stored(facts["kinds"]))), dtype=np.float32)
    place = np.full(len(file), -1, dtype=np.int64)  # where each row of the file goes
    place[order.numpy()] = np.arange(len(order))
    low = 0
    for batch in file.batches():
        columns = _inputs(batch, file, facts)
        there, first = place[low : low + batch.height], low
        found = np.empty((batch.height, out.shape[1]), dtype=np.float32)
        fill(found, columns, facts, lambda row, first=first: file.place(first + row))
        out[there[there >= 0]] = found[there >= 0]
        low += batch.height
    return torch.from_numpy(out)


def gather(file: File, facts: dict[str, Any], rows: Tensor, most: int) -> None:
    """Set the values of each category from these rows of a file: at most `most`, the most frequent first."""
    import polars as pl

    names = [name for name, kind in facts["kinds"].items() if kind == "category"]
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    chosen = np.zeros(len(file), dtype=bool)
    chosen[rows.numpy()] = True
    low = 0
    for batch in file.batches() if names else ():
        here = pl.Series(chosen[low : low + batch.height])
        columns = _inputs(batch, file, facts)
        for name in names:
            plain = texts(columns[name].filter(here), facts["missing"]).drop_nulls()
            found = plain.value_counts()
            counts[name].update(dict(zip(found.to_series(0).to_list(), found.to_series(1).to_list(), strict=True)))
            if len(counts[name]) > CROWD:
                counts[name] = Counter(dict(counts[name].most_common(CROWD // 2)))
        low += batch.height
    ranked = {name: sorted(count.items(), key=lambda pair: (-pair[1], pair[0])) for name, count in counts.items()}
    facts["categories"] = {name: [value for value, _ in pairs[:most]] for name, pairs in ranked.items()}


def _inputs(batch: "pl.DataFrame", file: File, facts: Facts) -> dict[str, "pl.Series"]:
    places = {name: str(place) for place, name in enumerate(file.names)}
    return {name: cells(batch, places[name], file, name) for name in facts["kinds"]}


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
    column: "pl.Series", name: str, kind: str, missing: Sequence[str], values: Sequence[str] | None, place: Place
) -> list[np.ndarray]:
    if kind == "category":
        return [codes(column, values or (), missing)]
    if kind == "number":
        found, wrong = numbers(column, missing)
        wanted = "a number"
        wrong = wrong | (found.abs() > LARGEST).fill_null(False)
        columns = [found]
    else:
        parts, wrong = dates(column, missing)
        wanted = "a date such as 2024-01-31" if kind == "date" else "a date such as 2024-01-31 12:30:00"
        columns = [parts[part] for part in (DAY if kind == "date" else CLOCK)]
    if wrong.any():
        row = int(wrong.arg_true()[0])
        raise DataError(
            f"{place(row)}: column '{name}' holds '{shown(str(column[row]).strip())}', which is not {wanted} that can "
            f"be used; fix it, add it to data.missing if it means no value, or set data.columns={{{name}:category}}"
        )
    return [found.to_numpy() for found in columns]


def _as_text(values: Any) -> "pl.Series":
    """Values of any JSON type as text."""
    import polars as pl

    def text(value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool | np.bool_):
            return str(value).lower()
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

    return pl.Series([text(value) for value in values], dtype=pl.String)
