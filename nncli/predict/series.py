"""The last steps of a time series, from which its forecast is made."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nncli.data.tables.encode import numbers_of
from nncli.predict.pieces import Piece, Samples, Source, piece
from nncli.predict.rows import read_rows


def of_steps(path: Path, samples: Samples) -> Source:
    """A file with a step in each row, in the order of time."""
    names, length = list(samples["columns"]), int(samples["length"])
    file = read_rows(path, samples)

    def pieces() -> Iterator[Piece]:
        places, steps, faults = np.empty(0, dtype=np.int64), np.empty((0, len(names))), dict[int, str]()
        for rows in file.read():
            values, wrong = numbers_of(rows.cells, {"columns": names, "shape": [len(names)]})
            faults |= {int(rows.places[row]): why for row, why in (wrong | rows.faults).items()}
            places = np.concatenate([places, rows.places])
            order = np.argsort(places, kind="stable")[-length:]  # uneven lines come first
            places, steps = places[order], np.concatenate([steps, values])[order]
        wrong = [f"row {place}: {faults[place]}" for place in places.tolist() if place in faults]
        if len(steps) < length:
            wrong = [f"it has {len(steps)} rows, and a forecast is made from the last {length}"]
        yield piece([] if wrong else steps[None], samples, dict(enumerate(wrong[:1])), files=[str(path)])

    return Source(str(path), 1, pieces, rows=False)
