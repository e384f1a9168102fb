"""Encode time series as windows of a source, from the columns in its `facts` alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nncli.data.encode import array, by_name, known
from nncli.data.series.measures import HIGHEST
from nncli.errors import DataError


def encode(raw: Any, facts: Mapping[str, Any], length: int) -> Tensor:
    """The last `length` steps of a series as float32 (length, F), or of each of several series (N, T, F).

    Steps are rows of numbers in the order of the columns, or mappings or a data frame with their names; for a series of
    one column they may be plain numbers.
    """
    names = list(known(facts, "columns"))
    values = array(_rows(raw, names))
    if values.ndim == 1 and len(names) == 1:
        values = values[:, None]
    if values.ndim not in (2, 3) or values.shape[-1] != len(names):
        raise DataError(f"a step of this series has {len(names)} values ({', '.join(names)}); got {list(values.shape)}")
    if values.shape[-2] < length:
        raise DataError(f"a window has {length} steps; got {values.shape[-2]}")
    window = values[..., -length:, :]
    if not (np.abs(window) <= HIGHEST).all():
        raise DataError(f"the series has a value that is not a finite number within ±{HIGHEST:g}")
    return torch.from_numpy(np.ascontiguousarray(window, dtype=np.float32))


def _rows(raw: Any, names: list[str]) -> Any:
    if hasattr(raw, "columns"):  # a data frame of polars or pandas
        if lost := [name for name in names if name not in raw.columns]:
            raise DataError(f"column '{lost[0]}' is missing; the net was trained on {', '.join(names)}")
        return np.stack([np.asarray(raw[name]) for name in names], axis=1)
    return by_name(raw, names)
