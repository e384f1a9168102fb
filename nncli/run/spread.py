"""How much a metric varies between runs."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """The mean of some values, their standard deviation, and the 95% confidence interval of the mean (Student's t)."""

    mean: float
    deviation: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """The spread of two values or more."""
    from scipy.special import stdtrit

    mean, deviation = statistics.fmean(values), statistics.stdev(values)
    half = float(stdtrit(len(values) - 1, 0.975)) * deviation / math.sqrt(len(values))
    return Spread(mean, deviation, mean - half, mean + half)
