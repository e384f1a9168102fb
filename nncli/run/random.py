"""The random states of a run as tensors and lists, so that a checkpoint contains no pickled objects."""

import random
from typing import Any

import numpy as np
import torch

NUMBERS = 624  # in a state of the Mersenne twister


def seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def states() -> dict[str, Any]:
    version, numbers, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [torch.from_numpy(np.asarray(keys).astype(np.int64)), int(position), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore(saved: dict[str, Any]) -> None:
    version, numbers, gauss = saved["python"]
    random.setstate((version, tuple(numbers), gauss))
    keys, position, has_gauss, cached = saved["numpy"]
    if not 0 <= position <= NUMBERS:  # numpy does not check, and would read beyond the end
        raise ValueError(f"the random state of numpy is at position {position} of {NUMBERS}")
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(saved["torch"])
    if saved["cuda"] and len(saved["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(saved["cuda"])


def check(saved: dict[str, Any]) -> None:
    """Raise what `restore` would raise, without changing anything."""
    before = states()
    try:
        restore(saved)
    finally:
        restore(before)
