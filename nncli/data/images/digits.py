"""Encode the digits of scikit-learn: pictures of 8x8 with values 0 to 16, or enlarged to another size."""

from typing import Any

import numpy as np

from nncli.data.images.encode import encode as picture
from nncli.data.numbers import Samples, whole

SIDE, HIGHEST = 8, 16


def encode(raw: Any, samples: Samples) -> np.ndarray:
    """A digit in scikit-learn's form (64 or 8x8 values up to 16), or any picture; several of one form are a batch."""
    try:
        values = np.asarray(raw) if isinstance(raw, list | np.ndarray) else np.empty(0)
    except ValueError:  # pictures of several sizes
        values = np.empty(0)
    if values.dtype.kind in "iuf" and (values.shape[-2:] == (SIDE, SIDE) or values.shape[-1:] == (SIDE * SIDE,)):
        found = drawn(values, samples["side"])
        return found[0] if values.shape in ((SIDE * SIDE,), (SIDE, SIDE), (1, SIDE, SIDE)) else found
    found = picture(raw, samples)
    return found if samples["side"] is not None else np.rint(found * np.float32(HIGHEST / 255)).astype(np.uint8)


def drawn(values: np.ndarray, side: int | None) -> np.ndarray:
    """Digits (N, 64) or (N, 8, 8) in scikit-learn's form as pictures (N, 1, H, W), with a `side` of values to 255."""
    small = whole(values, np.dtype(np.uint8)).reshape(-1, 1, SIDE, SIDE)
    if side is None:
        return small
    light = small * np.float32(255 / HIGHEST)
    # bilinear, in the order and with the rounding of torch.nn.functional.interpolate on a CPU: many values end in .5
    at = ((np.arange(side) + 0.5) * np.float32(SIDE / side) - 0.5).clip(0).astype(np.float32)
    low = at.astype(int)
    high, far = np.minimum(low + 1, SIDE - 1), at - low
    near, large = 1 - far, np.zeros(())
    corners = [(low, near, high, far), (low, near, low, near), (high, far, low, near), (high, far, high, far)]
    for rows, down, columns, right in corners:
        weight = np.outer(down, right).astype(np.float64)
        large = (large + weight * light[:, :, rows[:, None], columns]).astype(np.float32)
    return np.rint(large).astype(np.uint8)
