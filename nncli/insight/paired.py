"""Whether two models differ on the same samples: sign flips for a p-value, a bootstrap for an interval."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

DRAWS = 10_000
LEVELS = 256  # distinct differences above which close ones are taken together
NUMBERS = 4_000_000  # drawn at a time


@dataclass(frozen=True)
class Paired:
    """The mean difference, its interval, and how often chance alone makes one at least as large."""

    difference: float
    low: float
    high: float
    p: float
    blocks: int  # independent differences


def paired(differences: np.ndarray, *, overlap: int = 1, level: float = 0.05, seed: int = 0) -> Paired:
    """Test the mean of one difference per sample, in the order of the samples.

    If neither model is better, each difference could as well have the other sign (Fisher 1935). Samples of which
    `overlap` in a row share values, such as windows of a series, are not independent, so that blocks of twice as many
    are flipped and drawn together. The interval contains 1 - `level` of the means of resampled differences.
    """
    count = len(differences)
    starts = np.arange(0, count, 1 if overlap == 1 else 2 * overlap)
    each = np.add.reduceat(differences.astype(np.float64), starts) * len(starts) / count
    values, counts = _distinct(each)
    rng = np.random.default_rng(seed)
    total, slack = abs(each.sum()), 1e-9 * np.abs(each).sum()  # sums in another order differ in their last digits
    flipped = [(2 * rng.binomial(counts, 0.5, (size, len(counts))) - counts) @ values for size in _pieces(len(counts))]
    p = (1 + int((np.abs(np.concatenate(flipped)) >= total - slack).sum())) / (1 + DRAWS)
    drawn = [rng.multinomial(len(each), counts / len(each), size) @ values for size in _pieces(len(counts))]
    low, high = np.quantile(np.concatenate(drawn) / len(each), [level / 2, 1 - level / 2])
    return Paired(float(each.mean()), float(low), float(high), p, len(each))


def holm(p: Sequence[float]) -> list[float]:
    """The p-values of several comparisons, corrected for their number (Holm 1979)."""
    order = np.argsort(p)
    corrected = np.maximum.accumulate(np.minimum(1, np.array(p)[order] * np.arange(len(p), 0, -1)))
    return corrected[np.argsort(order)].tolist()


def _distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values with their counts; if there are many, the means of those in a narrow range."""
    found, counts = np.unique(values, return_counts=True)
    if len(found) <= LEVELS:
        return found, counts
    spread = np.arcsinh(values / np.abs(values).mean())  # narrow ranges for small values, relative ones for large
    step = (spread.max() - spread.min()) / LEVELS
    _, which, counts = np.unique(np.floor(spread / step), return_inverse=True, return_counts=True)
    return np.bincount(which, values) / counts, counts


def _pieces(width: int) -> Iterator[Any]:
    """How many rows of this width to draw at a time."""
    size = max(1, NUMBERS // width)
    return (min(size, DRAWS - low) for low in range(0, DRAWS, size))
