"""Rows of a table, or of numbers."""

from collections.abc import Iterator
from pathlib import Path

from nncli.predict.pieces import Piece, Samples, Source, piece
from nncli.predict.rows import read_rows


def of_table(path: Path, samples: Samples) -> Source:
    """A sample in each row of a file."""
    file = read_rows(path, samples)

    def pieces() -> Iterator[Piece]:
        for rows in file.read():
            yield piece(rows.good(), samples, rows.faults, rows=rows.places, cells=rows.cells)

    return Source(str(path), file.total, pieces, columns=file.names)
