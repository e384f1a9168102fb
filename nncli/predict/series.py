"""The last steps of a time series, from which its forecast is made."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from nncli.data.series.times import as_written, following
from nncli.data.tables.encode import numbers_of
from nncli.errors import DataError
from nncli.predict.pieces import Piece, Samples, Source, Times, piece
from nncli.predict.rows import read_rows


def of_steps(path: Path, samples: Samples) -> Source:
    """A file with a step in each row, in the order of time."""
    names, length, told = list(samples["columns"]), int(samples["length"]), samples.get("time") or {}
    file = read_rows(path, samples)
    time = told.get("column") if told.get("column") in file.names else None

    def pieces() -> Iterator[Piece]:
        places, steps, faults = np.empty(0, dtype=np.int64), np.empty((0, len(names))), dict[int, str]()
        times = pl.Series(time, [], dtype=pl.String)
        for rows in file.read():
            values, wrong = numbers_of(rows.cells, {"columns": names, "shape": [len(names)]})
            faults |= {int(rows.places[row]): why for row, why in (wrong | rows.faults).items()}
            places = np.concatenate([places, rows.places])
            order = np.argsort(places, kind="stable")[-length:]  # uneven lines come first
            places, steps = places[order], np.concatenate([steps, values])[order]
            if time:
                times = pl.concat([times, as_written(rows.cells.get_column(time))]).gather(order)
        wrong = [f"row {place}: {faults[place]}" for place in places.tolist() if place in faults]
        if len(steps) < length:
            wrong = [f"it has {len(steps)} rows, and a forecast is made from the last {length}"]
        ahead: Times | None = None
        if time and not wrong:
            try:
                following(times, told.get("form"), 1)
                ahead = partial(following, times, told.get("form"))
            except DataError as problem:
                wrong = [str(problem)]
        given = [] if wrong else steps[None]
        yield piece(given, samples, dict(enumerate(wrong[:1])), files=[str(path)], times=ahead)

    return Source(str(path), 1, pieces, rows=False, timed=time is not None)
