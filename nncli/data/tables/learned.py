"""What the training part of a table says about its columns, and whole files of rows as stored numbers."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.data.numbers import Samples
from nncli.data.tables.cells import CLOCK, texts
from nncli.data.tables.encode import fill, stored
from nncli.data.tables.table_file import File, cells
from nncli.errors import DataError

if TYPE_CHECKING:
    import polars as pl

CROWD = 200_000  # distinct values of a category that are counted; beyond that, the rarest are dropped


def sizes_of(x: np.ndarray, facts: Samples) -> list[int]:
    """How many input values each stored number becomes (see the transform `table`), from the training part."""
    values = {
        name: len(facts["categories"].get(name, ())) for name, kind in facts["kinds"].items() if kind == "category"
    }
    gaps = [bool(np.isnan(column).any()) for column in x.T]
    wide = [max(3, values[name] + 1) if name in values else 1 for name in facts["columns"]]
    dated = {f"{name}.{part}" for name, kind in facts["kinds"].items() if kind != "number" for part in CLOCK[1:]}
    flags = [
        size == 1 and gap and name not in dated for name, size, gap in zip(facts["columns"], wide, gaps, strict=True)
    ]
    return [size + flag for size, flag in zip(wide, flags, strict=True)]


def encode_file(file: File, facts: Samples, order: np.ndarray) -> np.ndarray:
    """These rows of a file, encoded in this order, without further memory."""
    out = np.empty((len(order), len(stored(facts["kinds"]))), dtype=np.float32)
    place = np.full(len(file), -1, dtype=np.int64)  # where each row of the file goes
    place[order] = np.arange(len(order))
    low = 0
    for batch in file.batches():
        columns = _inputs(batch, file, facts)
        there = place[low : low + batch.height]
        found = np.empty((batch.height, out.shape[1]), dtype=np.float32)
        if wrong := next(iter(fill(found, columns, facts)), None):
            row = int(wrong.mask.arg_true()[0])
            raise DataError(
                f"{file.place(low + row)}: {wrong.reason(row)}; fix it, add it to data.missing if it means no value, "
                f"or set data.columns={{{wrong.name}:category}}"
            )
        out[there[there >= 0]] = found[there >= 0]
        low += batch.height
    return out


def gather(file: File, facts: dict[str, Any], rows: np.ndarray, most: int) -> None:
    """Set the values of each category from these rows of a file: at most `most`, the most frequent first."""
    import polars as pl

    names = [name for name, kind in facts["kinds"].items() if kind == "category"]
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    chosen = np.zeros(len(file), dtype=bool)
    chosen[rows] = True
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


def _inputs(batch: "pl.DataFrame", file: File, facts: Samples) -> dict[str, "pl.Series"]:
    places = {name: str(place) for place, name in enumerate(file.names)}
    return {name: cells(batch, places[name], file, name) for name in facts["kinds"]}
