"""Made-up samples that are the same on every machine, to compare answers where the data is not available."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def probe(card: Mapping[str, Any], count: int, seed: int = 0) -> np.ndarray:
    """`count` random inputs of the kind that the card describes: integers within its span, or small numbers."""
    entry = card["input"]
    random, shape = np.random.default_rng(seed), (count, *entry["example"])
    if np.dtype(entry["dtype"]).kind == "f":
        return random.integers(-8, 9, shape).astype(entry["dtype"]) / np.dtype(entry["dtype"]).type(4)
    low = 1 if entry["dtype"] == "int64" else 0  # token 0 is padding
    return random.integers(low, max(entry["span"], low + 1), shape).astype(entry["dtype"])
