"""How long a model takes: the latency of one sample, and the throughput of the best size of batch."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIZES = (1, 4, 16, 64, 256)
SECONDS = 0.4  # spent on each measurement
WARM = 3  # runs before it


def timing(run: Callable[[np.ndarray], Any], x: np.ndarray, fixed: int | None = None) -> dict[str, Any]:
    """Milliseconds of a sample alone (median and 99th percentile), and samples per second at the best batch size."""
    alone = _times(run, _filled(x, fixed or 1))
    best = max(
        (size / float(np.median(_times(run, _filled(x, size)))), size) for size in ((fixed,) if fixed else SIZES)
    )
    p50, p99 = (float(value) for value in np.percentile(alone, (50, 99)) * 1e3)
    return {"p50_ms": p50, "p99_ms": p99, "samples_per_s": best[0], "batch": best[1]}


def _filled(x: np.ndarray, size: int) -> np.ndarray:
    return np.ascontiguousarray(np.resize(x, (size, *x.shape[1:])))


def _times(run: Callable[[np.ndarray], Any], x: np.ndarray) -> np.ndarray:
    for _ in range(WARM):
        run(x)
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < WARM:
        began = time.perf_counter()
        run(x)
        times.append(time.perf_counter() - began)
    return np.array(times)
