"""Encode raw samples of any kind as a source does, from its `facts` and `samples()` alone.

Nothing here imports torch, so that an exported file can predict without it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from nncli.data.numbers import Samples, checked
from nncli.errors import DataError


def encode(raw: Any, samples: Samples) -> np.ndarray:
    """A raw sample encoded, or several as a batch; what a raw sample may be is said by the encoder of its kind.

    Of tables and numbers, the path of a CSV or Parquet file stands for its rows.
    """
    if samples["kind"] in ("table", "numbers") and isinstance(raw, str | Path):
        return np.concatenate(list(_of_file(Path(raw), samples)))
    return encoder(samples["kind"])(raw, samples)


def encode_each(raw: Any, samples: Samples) -> tuple[np.ndarray, dict[int, str]]:
    """The samples of a batch that can be encoded, in their order, and the reason for each other one by its place.

    A batch is a list, an array, or a data frame of polars: rows of a table, of numbers or of texts, or one series.
    """
    kind, polars = samples["kind"], sys.modules.get("polars")
    framed = polars is not None and isinstance(raw, polars.DataFrame)
    if kind == "table" or (kind == "numbers" and framed):
        return _rows(raw, samples)
    if kind == "numbers" and isinstance(raw, np.ndarray) and raw.dtype.kind in "biuf":
        found, fine, wanted = checked(raw, samples)
        fine = fine.reshape(len(raw), -1).all(axis=1)
        good = encode(found[fine], samples)
        return good, dict.fromkeys(np.flatnonzero(~fine).tolist(), f"a value is not {wanted}")
    if framed:
        raw = _texts(raw, samples) if kind == "text" else [raw]
    return _one_by_one(raw, samples)


def encoder(kind: str) -> Callable[[Any, Samples], np.ndarray]:
    """The function that encodes samples of a kind; only the libraries of this kind are imported."""
    match kind:
        case "image":
            from nncli.data.images.encode import encode as found
        case "digits":
            from nncli.data.images.digits import encode as found
        case "table":
            from nncli.data.tables.encode import encode as found
        case "text":
            from nncli.data.text.encode import encode as found
        case "symbols":
            from nncli.data.text.symbols import encode as found
        case "series":
            from nncli.data.series.encode import encode as found
        case "numbers":
            from nncli.data.numbers import encode as found
        case _:
            raise DataError(f"samples of the kind '{kind}' cannot be encoded by this version")
    return found


def _of_file(path: Path, samples: Samples) -> Iterator[np.ndarray]:
    from nncli.data.tables.table_file import CsvFile, open_rows, rows_of

    file = open_rows(path, samples)
    if isinstance(file, CsvFile) and file.scan.uneven:
        line = min(file.scan.uneven)
        raise DataError(f"{path}, line {line}: {file.scan.uneven[line]}; fix the line")
    for low, batch in rows_of(file):
        good, bad = encode_each(batch, samples)
        if bad:
            raise DataError(f"{file.place(low + min(bad))}: {bad[min(bad)]}")
        yield good


def _rows(raw: Any, samples: Samples) -> tuple[np.ndarray, dict[int, str]]:
    from nncli.data.tables.encode import encode_rows, numbers_of

    if samples["kind"] == "table":
        found, bad = encode_rows(raw, samples)
    else:
        values, bad = numbers_of(raw, samples)
        found, fine, wanted = checked(values, samples)
        bad = dict.fromkeys(np.flatnonzero(~fine.all(axis=1)).tolist(), f"a value is not {wanted}") | bad
    good = np.ones(len(found), dtype=bool)
    good[list(bad)] = False
    return found[good] if bad else found, bad


def _texts(frame: Any, samples: Samples) -> list[Any]:
    """The column of texts."""
    name = frame.columns[0] if frame.width == 1 else samples.get("column")
    if name not in frame.columns:
        raise DataError(f"there is no column of texts '{name}'; the columns are {', '.join(frame.columns)}")
    return frame.get_column(name).to_list()


def _one_by_one(raw: Any, samples: Samples) -> tuple[np.ndarray, dict[int, str]]:
    """All samples together, or if some are bad, each alone to find out which."""
    if isinstance(raw, np.ndarray) or samples["kind"] not in ("image", "series"):  # a picture is decoded only once
        with suppress(DataError):
            return encode(raw, samples), {}
    found, bad = dict[int, np.ndarray](), dict[int, str]()
    for place, one in enumerate(raw):
        try:
            found[place] = encode(one, samples)
        except DataError as problem:
            bad[place] = str(problem)
    if len({one.shape for one in found.values()}) < 2:
        return np.stack(list(found.values())) if found else np.empty(0), bad
    if samples["kind"] != "text":
        raise DataError("samples of one batch must be of equal length; give them one by one")
    return encode([raw[place] for place in found], samples), bad  # padded
