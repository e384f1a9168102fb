"""Which samples are equal: by 64-bit prints of their bytes, confirmed by the bytes themselves."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nncli.data.rows import Rows

CHUNK = 2048  # samples at a time; texts of like length together, so that filling up costs little


@dataclass(frozen=True)
class Twins:
    """Pairs of rows with equal inputs; each `second` stands in one pair only."""

    first: np.ndarray
    second: np.ndarray

    def __len__(self) -> int:
        return len(self.second)

    def only(self, which: np.ndarray) -> "Twins":
        return Twins(self.first[which], self.second[which])


def fingerprints(rows: Rows) -> np.ndarray:
    """A number for each sample (N,) that is equal for equal inputs, and nearly always different for others."""
    prints = np.empty(len(rows), dtype=np.uint64)
    for which, x in _pieces(rows):
        prints[which] = _print(x)
    return prints


def twins_within(rows: Rows, prints: np.ndarray) -> Twins:
    """Each sample that is equal to an earlier one, and the earliest such."""
    _, first, member = np.unique(prints, return_index=True, return_inverse=True)
    original = first[member]
    later = np.flatnonzero(original != np.arange(len(prints)))
    return _confirmed(rows, rows, Twins(original[later], later))


def twins_between(a: Rows, prints_a: np.ndarray, b: Rows, prints_b: np.ndarray) -> Twins:
    """Each sample of `b` that `a` has too, and the earliest such of `a`."""
    order = np.argsort(prints_a, kind="stable")
    place = np.searchsorted(prints_a, prints_b, sorter=order).clip(max=max(0, len(order) - 1))
    match = order[place]
    second = np.flatnonzero(prints_a[match] == prints_b)
    return _confirmed(a, b, Twins(match[second], second))


def _pieces(rows: Rows) -> Iterator[tuple[Tensor | slice, Tensor]]:
    if rows.lengths is not None:
        for which in rows.lengths.argsort(stable=True).split(CHUNK):
            yield which, rows.take(which)[0]
        return
    size = rows.at_once(CHUNK)
    for low in range(0, len(rows), size):
        high = min(low + size, len(rows))
        yield slice(low, high), rows.span(low, high)[0]


def _words(x: Tensor) -> np.ndarray:
    """The bytes of each sample as whole numbers (N, words). -0.0 counts as 0.0."""
    if x.is_floating_point():
        x = x + 0.0
    flat = np.ascontiguousarray(x.numpy()).reshape(len(x), -1).view(np.uint8)
    if over := flat.shape[1] % 4:
        flat = np.pad(flat, ((0, 0), (0, 4 - over)))
    return flat.view(np.uint32)


def _print(x: Tensor) -> np.ndarray:
    """Multilinear hashing modulo 2**64 (Lemire & Kaser 2014). Zeros at the end, which fill up texts, change nothing."""
    words = torch.from_numpy(_words(x).astype(np.int64))
    return (words * torch.from_numpy(_factors(words.shape[1]))).sum(1).numpy().view(np.uint64)


def _factors(count: int) -> np.ndarray:
    """Odd numbers without a pattern (splitmix64); the first are the same for every count."""
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) | np.uint64(1)).view(np.int64)


def _confirmed(a: Rows, b: Rows, pairs: Twins) -> Twins:
    """The pairs whose inputs are equal byte for byte."""
    same = np.zeros(len(pairs), dtype=bool)
    size = a.at_once(CHUNK)
    for low in range(0, len(pairs), size):
        some = slice(low, low + size)
        x = a.take(torch.from_numpy(pairs.first[some]))[0]
        z = b.take(torch.from_numpy(pairs.second[some]))[0]
        if x.shape != z.shape:
            if a.lengths is None or b.lengths is None:
                continue
            width = max(x.shape[1], z.shape[1])
            x, z = (torch.nn.functional.pad(t, (0, width - t.shape[1])) for t in (x, z))
        same[some] = (_words(x) == _words(z)).all(axis=1)
    return pairs.only(same)
