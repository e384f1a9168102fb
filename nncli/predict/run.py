"""Predict all samples of some inputs, piece by piece; what cannot be read is kept apart."""

import os
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import polars as pl

from nncli.data.files.progress import shown as progress
from nncli.data.tables.table_file import require
from nncli.errors import NnError
from nncli.predict.answers import Outputs, Shown, table
from nncli.predict.pieces import Piece, Source
from nncli.predict.writers import Writer

Item = TypeVar("Item")
USUAL = Shown()
FEW = 5  # rejected samples that are reported


class Engine(Protocol):
    """A run or an exported file, as a function of encoded samples; its card says what it takes and returns."""

    @property
    def name(self) -> str: ...
    @property
    def card(self) -> Mapping[str, Any]: ...
    def __call__(self, x: np.ndarray) -> Outputs: ...


@dataclass
class Count:
    """How many samples were predicted and rejected, and why the first ones were."""

    predicted: int = 0
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, piece: Piece, places: pl.DataFrame) -> None:
        bad = sorted(piece.faults)
        for place in bad[: FEW - len(self.reasons)]:
            self.reasons.append(f"{_spelled(places.row(place))}: {piece.faults[place]}")
        self.predicted, self.rejected = self.predicted + len(piece) - len(bad), self.rejected + len(bad)


def predict(
    engine: Engine,
    sources: Sequence[Source],
    answers: Writer,
    rejected: Writer | None = None,
    *,
    shown: Shown = USUAL,
    keep: Sequence[str] = (),
) -> Count:
    """Write the answers for all samples, and the place, the reason and the cells of each that is rejected."""
    for source in sources:
        if keep and not source.columns:
            raise NnError(f"--keep copies cells of rows, and the samples of {source.name} are not rows of a table")
        require(Path(source.name), source.columns, keep, " to keep")
    names, cells, count = _place_names(sources), sources[0].columns, Count()
    timed = any(source.timed for source in sources)
    if rejected:  # its header
        rejected.write(_with_cells(pl.DataFrame(schema=dict.fromkeys([*names, "reason"], pl.String)), None, cells))
    pieces = ((len(piece), (source, piece)) for source in sources for piece in source.pieces())
    with closing(_ahead(pieces)) as ahead:
        for source, piece in progress(ahead, sum(source.total for source in sources), "predicting"):
            places, bad = _places(source, piece, names), sorted(piece.faults)
            if len(bad) < len(piece):
                good = np.delete(np.arange(len(piece)), bad)
                found = _answered(engine, piece, _with_cells(places, piece.cells, keep)[good], shown, timed)
                answers.write(found)
            if bad and rejected:
                before = places[bad].with_columns(pl.Series("reason", [piece.faults[place] for place in bad]))
                rejected.write(_with_cells(before, piece.cells[bad] if piece.cells is not None else None, cells))
            count.add(piece, places)
    return count


def _ahead(items: Generator[Item]) -> Generator[Item]:
    """The same items; while one is used, the next is made by another thread."""
    with closing(items), ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item


def _place_names(sources: Sequence[Source]) -> list[str]:
    """The first columns: the file of each sample, its row, or both."""
    rows = any(source.rows for source in sources)
    return [*(["file"] if not rows or len(sources) > 1 else []), *(["row"] if rows else [])]


def _places(source: Source, piece: Piece, names: Sequence[str]) -> pl.DataFrame:
    files = [_text(name) for name in piece.files] if piece.files is not None else [_text(source.name)] * len(piece)
    rows = [None] * len(piece) if piece.rows is None else piece.rows
    return pl.DataFrame({"file": files, "row": pl.Series(rows, dtype=pl.Int64)}).select(names)


def _with_cells(before: pl.DataFrame, cells: pl.DataFrame | None, names: Sequence[str]) -> pl.DataFrame:
    """The columns of `before`, and some cells beside them; those of the same name are called input_…"""
    empty = pl.Series([None], dtype=pl.String).new_from_index(0, before.height)
    found = [cells.get_column(name) if cells is not None and name in cells.columns else empty for name in names]
    called = [f"input_{name}" if name in before.columns else name for name in names]
    return before.with_columns(column.alias(name) for column, name in zip(found, called, strict=True))


def _answered(engine: Engine, piece: Piece, before: pl.DataFrame, shown: Shown, timed: bool) -> pl.DataFrame:
    """The answers beside the places and cells; those of the same name are called predicted_…"""
    try:
        outputs = engine(piece.x)
    except (RuntimeError, ValueError, IndexError) as error:
        why = str(error).partition("\n")[0]
        raise NnError(f"{engine.name} cannot take samples of {list(piece.x.shape[1:])}: {why}") from error
    found, rows = table(outputs, engine.card, shown)
    if timed:
        name = "step_time" if "time" in found.columns else "time"
        found.insert_column(1, pl.Series(name, piece.times(rows) if piece.times else [None] * rows, dtype=pl.String))
    found.columns = [f"predicted_{name}" if name in before.columns else name for name in found.columns]
    return before[np.repeat(np.arange(before.height), rows)].hstack(found) if rows > 1 else before.hstack(found)


def _text(name: str) -> str:
    """The name of a file, with � for bytes that are no text."""
    return os.fsencode(name).decode("utf-8", "replace")


def _spelled(place: Sequence[Any]) -> str:
    return ", ".join(str(part) if isinstance(part, str) else f"row {part}" for part in place if part is not None)
