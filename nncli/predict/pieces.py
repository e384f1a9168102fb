"""What every kind of input is turned into: encoded samples in pieces, with the place of each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from nncli.data.encode import encode_each

Samples = Mapping[str, Any]
Times = Callable[[int], list[str | None]]
MOST = 1024  # samples of a piece
VALUES = 1 << 22  # in a piece


@dataclass(frozen=True)
class Piece:
    """Some samples in order: the usable ones encoded, and why the others cannot be used, by position.

    Each has a row of its file, or is a file of its own. `cells` are those of the rows.
    """

    x: np.ndarray
    faults: dict[int, str] = field(default_factory=dict)
    rows: np.ndarray | None = None
    files: Sequence[str] | None = None
    cells: pl.DataFrame | None = None
    times: Times | None = None  # of the steps after a series

    def __len__(self) -> int:
        return len(self.rows if self.rows is not None else self.files or ())


@dataclass(frozen=True)
class Source:
    """One of the inputs, or several pictures: how many samples it has, and where they come from."""

    name: str
    total: int
    pieces: Callable[[], Iterator[Piece]]
    rows: bool = True  # whether its samples are rows; otherwise each is a file
    columns: Sequence[str] = ()  # of the cells of its rows
    timed: bool = False  # whether its pieces have times


def piece(raw: Any, samples: Samples, faults: Mapping[int, str], **places: Any) -> Piece:
    """A piece of raw samples, which lack those with `faults`."""
    found = Piece(np.empty(0), dict(faults), **places)
    usable = [i for i in range(len(found)) if i not in faults] if faults else range(len(found))
    x, more = encode_each(raw, samples) if len(usable) else (found.x, {})
    return Piece(x, found.faults | {usable[i]: why for i, why in more.items()}, **places)


def per_piece(values: int) -> int:
    """The number of samples of so many values that are predicted together."""
    return max(1, min(MOST, VALUES // max(1, values)))
