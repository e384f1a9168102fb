"""The rows of NumPy's .npz and .npy, read piece by piece."""

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from nncli.data.tables.table_file import listed
from nncli.errors import DataError
from nncli.files import named
from nncli.predict.pieces import Piece, Samples, Source, per_piece, piece

BROKEN = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, KeyError)
PLAIN = "biuf"  # booleans, integers, floats
Read = Callable[[int], Iterator[np.ndarray]]  # the rows, so many at a time


def of_array(path: Path, samples: Samples) -> Source:
    """The rows of an array; in an .npz, of the one called x, or else of the only one."""
    try:
        shape, dtype, read = (_npz if path.suffix.lower() == ".npz" else _npy)(path)
    except BROKEN as problem:
        raise _unreadable(path, problem) from problem
    if dtype.kind not in PLAIN or not shape or 0 in shape:
        raise DataError(f"{named(path)} holds {dtype} of shape {list(shape)}; it must be rows of numbers")
    one = list(shape) == list(samples.get("shape") or ()) or (samples["kind"] == "series" and len(shape) == 2)

    def pieces() -> Iterator[Piece]:
        low = 0
        try:
            for some in read(shape[0] if one else per_piece(math.prod(shape[1:]))):
                batch = some[None] if one else some
                batch = batch[:, None] if samples["kind"] == "image" and batch.ndim == 3 else batch
                yield piece(batch, samples, {}, rows=np.arange(low, low + len(batch)) + 1)
                low += len(batch)
        except BROKEN as problem:
            raise _unreadable(path, problem) from problem

    return Source(str(path), 1 if one else shape[0], pieces)


def _npy(path: Path) -> tuple[tuple[int, ...], np.dtype[Any], Read]:
    whole = np.load(path, mmap_mode="r", allow_pickle=False)
    return whole.shape, whole.dtype, lambda rows: _cut(whole, rows)


def _npz(path: Path) -> tuple[tuple[int, ...], np.dtype[Any], Read]:
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        if "x" not in names and len(names) != 1:
            raise DataError(f"{named(path)} has no array x; it has {listed(names) or 'none'}")
        member = f"{'x' if 'x' in names else names[0]}.npy"
        with archive.open(member) as file:
            shape, by_column, dtype = _head(file)

    def read(rows: int) -> Iterator[np.ndarray]:
        if by_column:  # the rows are not one after another in the file
            with np.load(path, allow_pickle=False) as arrays:
                yield from _cut(arrays[member.removesuffix(".npy")], rows)
            return
        with ExitStack() as stack:
            file = stack.enter_context(stack.enter_context(zipfile.ZipFile(path)).open(member))
            _head(file)
            size = dtype.itemsize * math.prod(shape[1:])
            while some := file.read(size * rows):
                yield np.frombuffer(some, dtype).reshape(-1, *shape[1:])

    return shape, dtype, read


def _head(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    form = np.lib.format
    return (form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0)(file)


def _cut(whole: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    return (np.asarray(whole[low : low + rows]) for low in range(0, len(whole), rows))


def _unreadable(path: Path, problem: Exception) -> DataError:
    text = str(problem).partition("\n")[0] or type(problem).__name__
    if "allow_pickle" in text or "Python objects" in text:
        text = "it holds Python objects, which are never loaded"
    return DataError(f"{named(path)} cannot be read: {text}")
