"""Texts: the lines of a file, the files of a folder, a column of a table, and words."""

from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nncli.data.files.csv_file import as_utf8
from nncli.data.files.encoding import read_text
from nncli.data.tables.table_file import require
from nncli.data.text.text_files import files_of
from nncli.errors import DataError
from nncli.files import named
from nncli.predict.pictures import natural
from nncli.predict.pieces import Piece, Samples, Source, piece
from nncli.predict.rows import RowFile, read_rows

SOME = 1024  # texts at a time


def at_once(samples: Samples) -> int:
    """How many texts are encoded together: one if they are not padded to the same length."""
    return SOME if samples.get("max_length") else 1


def of_word(text: str, samples: Samples) -> Source:
    """A text that was typed."""
    return Source(named(text), 1, lambda: iter([_piece([text], samples, rows=np.ones(1, dtype=np.int64))]))


def of_lines(path: Path, samples: Samples) -> Source:
    """Each line of a file that is not blank."""
    source, _ = as_utf8(path, "auto")

    def lines() -> Iterator[tuple[int, str]]:
        opened = StringIO(source.decode()) if isinstance(source, bytes) else source.open(encoding="utf-8-sig")
        with opened:
            yield from ((number, line.rstrip("\n")) for number, line in enumerate(opened, 1) if line.strip())

    def pieces() -> Iterator[Piece]:
        every = lines()
        while some := list(islice(every, at_once(samples))):
            numbers, texts = zip(*some, strict=True)
            yield _piece(texts, samples, rows=np.array(numbers))

    if not (total := sum(1 for _ in lines())):
        raise DataError(f"{named(path)} is empty: it has no line of text")
    return Source(str(path), total, pieces)


def of_folder(path: Path, samples: Samples) -> Source:
    """Each file of a folder."""
    files = sorted(files_of(path, deep=True), key=lambda file: natural(str(file)))
    if not files:
        raise DataError(f"{named(path)} has no text files")

    def pieces() -> Iterator[Piece]:
        for low in range(0, len(files), at_once(samples)):
            some = files[low : low + at_once(samples)]
            texts, faults = [], {}
            for place, file in enumerate(some):
                try:
                    texts.append(read_text(file, "auto")[0])
                except DataError as problem:
                    faults[place] = str(problem)
                    texts.append("")
            yield _piece(texts, samples, faults, files=[str(file) for file in some])

    return Source(str(path), len(files), pieces, rows=False)


def of_column(path: Path, samples: Samples) -> Source:
    """Each cell of the column of texts: that of the training file, else `text`, else the only one with texts."""
    file = read_rows(path, samples)
    names = [name for name in (samples.get("column"), "text") if name in file.names] or _with_texts(file)
    if len(names) != 1:
        require(path, file.names, [samples.get("column") or "text"])
    name, many = names[0], at_once(samples)

    def pieces() -> Iterator[Piece]:
        for rows in file.read():
            texts = rows.cells.get_column(name).cast(pl.String)
            faults = dict.fromkeys(texts.is_null().arg_true().to_list(), f"column '{name}' is empty") | rows.faults
            for low in range(0, len(texts), many):
                part = slice(low, low + many)
                some = {row - low: why for row, why in faults.items() if low <= row < low + many}
                yield _piece(texts[part].to_list(), samples, some, rows=rows.places[part], cells=rows.cells[part])

    return Source(str(path), file.total, pieces, columns=file.names)


def _with_texts(file: RowFile) -> list[str]:
    """The columns whose first cells are not all numbers."""
    start = next(file.read()).cells.head(SOME)
    columns = [cells for cells in start.iter_columns() if cells.dtype == pl.String]
    return [cells.name for cells in columns if cells.cast(pl.Float64, strict=False).count() < cells.count()]


def _piece(texts: Sequence[str], samples: Samples, faults: Mapping[int, str] | None = None, **places: Any) -> Piece:
    faults = faults or {}
    return piece([text for place, text in enumerate(texts) if place not in faults], samples, faults, **places)
