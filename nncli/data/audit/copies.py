"""Find equal samples by a digest of their bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from torch import Tensor

from nncli.data.rows import Rows

CHUNK = 2048  # samples at a time; texts of similar length together, so that there is little padding


@dataclass(frozen=True)
class Twins:
    """Pairs of rows with equal inputs; each `second` occurs in only one pair."""

    first: np.ndarray
    second: np.ndarray

    def __len__(self) -> int:
        return len(self.second)

    def only(self, which: np.ndarray) -> "Twins":
        return Twins(self.first[which], self.second[which])


def fingerprints(rows: Rows) -> list[bytes]:
    """128 bits for each sample (N), equal only for equal inputs."""
    prints = [b""] * len(rows)
    for which, x in _pieces(rows):
        for row, data in zip(which, _bytes(x, ragged=rows.lengths is not None), strict=True):
            prints[row] = blake2b(data, digest_size=16).digest()
    return prints


def twins_within(prints: Sequence[bytes]) -> Twins:
    """Each sample that equals an earlier one, and the first such."""
    earliest: dict[bytes, int] = {}
    first = np.fromiter((earliest.setdefault(one, row) for row, one in enumerate(prints)), np.int64, len(prints))
    later = np.flatnonzero(first != np.arange(len(prints)))
    return Twins(first[later], later)


def twins_between(a: Sequence[bytes], b: Sequence[bytes]) -> Twins:
    """Each sample of `b` that also occurs in `a`, and its first occurrence there."""
    earliest = {one: row for row, one in reversed(list(enumerate(a)))}
    first = np.fromiter((earliest.get(one, -1) for one in b), np.int64, len(b))
    second = np.flatnonzero(first >= 0)
    return Twins(first[second], second)


def _pieces(rows: Rows) -> Iterator[tuple[Sequence[int], Tensor]]:
    if rows.lengths is not None:
        for which in rows.lengths.argsort(stable=True).split(CHUNK):
            yield which.tolist(), rows.take(which)[0]
        return
    size = rows.at_once(CHUNK)
    for low in range(0, len(rows), size):
        high = min(low + size, len(rows))
        yield range(low, high), rows.span(low, high)[0]


def _bytes(x: Tensor, *, ragged: bool) -> Iterator[bytes]:
    """The bytes of each sample. -0.0 counts as 0.0, and padding does not count."""
    if x.is_floating_point():
        x = x + 0.0
    flat = np.ascontiguousarray(x.numpy()).reshape(len(x), -1)
    return (row.tobytes().rstrip(b"\0") if ragged else row.tobytes() for row in flat)
