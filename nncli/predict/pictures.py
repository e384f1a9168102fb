"""Pictures: files, folders and zips, decoded ahead by several processes, and one from standard input."""

import math
import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from nncli.data.encode import encode_each
from nncli.data.images import decode_pool
from nncli.data.images.decode import UNREADABLE, Form, reader, reason
from nncli.data.images.listing import files_in
from nncli.predict.pieces import Piece, Samples, Source, per_piece

TOGETHER = 256  # pictures that are predicted together
Some = tuple[np.ndarray, dict[int, str], int]  # encoded pictures, why others cannot be read, how many there were


def of_files(paths: Sequence[Path], samples: Samples) -> Source:
    """Files, and the pictures in folders."""
    names = [name for path in paths for name in _in_folder(path)]
    return Source("pictures", len(names), lambda: _decoded(Path(), names, "", samples), rows=False)


def of_zip(path: Path, samples: Samples) -> Source:
    """The pictures in a zip."""
    names = sorted(files_in(path)[0], key=natural)
    return Source(str(path), len(names), lambda: _decoded(path, names, f"{path}/", samples), rows=False)


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts 2.png before 10.png."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _in_folder(path: Path) -> list[str]:
    if not path.is_dir():
        return [str(path)]
    return [os.path.join(path, name) for name in sorted(files_in(path)[0], key=natural)]


def _decoded(source: Path, names: list[str], prefix: str, samples: Samples) -> Iterator[Piece]:
    pieces = _digits if samples["kind"] == "digits" else _pixels
    low = 0
    for x, faults, count in pieces(source, names, samples):
        yield Piece(x, faults, files=[f"{prefix}{name}" for name in names[low : low + count]])
        low += count


def _pixels(source: Path, names: list[str], samples: Samples) -> Iterator[Some]:
    low, most = 0, min(TOGETHER, per_piece(math.prod(samples["shape"])))
    decoded = decode_pool.stream(source, names, Form(*samples["shape"], exact=False))
    while some := list(islice(decoded, max(1, most // decode_pool.BATCH))):
        pixels = np.concatenate([part for part, _ in some])
        reasons = {trouble.name: trouble.reason for _, troubles in some for trouble in troubles}
        faults = {i: reasons[name] for i, name in enumerate(names[low : low + len(pixels)]) if name in reasons}
        yield np.delete(pixels, list(faults), axis=0) if faults else pixels, faults, len(pixels)
        low += len(pixels)


def _digits(source: Path, names: list[str], samples: Samples) -> Iterator[Some]:
    """Each picture by itself, since its values are scaled."""
    read = reader(source)
    for name in names:
        try:
            x, faults = encode_each([read(name)], samples)
        except UNREADABLE as problem:
            x, faults = np.empty(0), {0: reason(problem)}
        yield x, faults, 1
