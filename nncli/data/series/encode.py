"""Encode time series as windows of a source, from the columns in its `facts` alone."""

from pathlib import Path
from typing import Any

import numpy as np

from nncli.data.files.paths import located
from nncli.data.numbers import Samples, array, by_name, known
from nncli.data.series.measures import HIGHEST, read
from nncli.errors import DataError


def encode(raw: Any, samples: Samples) -> np.ndarray:
    """The last `samples["length"]` steps of a series as float32 (length, F), or of each of several series (N, T, F).

    Steps are rows of numbers in the order of the columns, or mappings or a data frame with their names, or the path of
    a CSV file; for a series of one column they may be plain numbers.
    """
    names, length = list(known(samples, "columns")), samples["length"]
    if isinstance(raw, str | Path):
        told = samples.get("time") or {}
        raw = read(located("path", str(raw)), names, [], told.get("column"), needed=False).values
    values = array(by_name(raw, names))
    if values.ndim == 1 and len(names) == 1:
        values = values[:, None]
    if values.ndim not in (2, 3) or values.shape[-1] != len(names):
        raise DataError(f"a step of this series has {len(names)} values ({', '.join(names)}); got {list(values.shape)}")
    if values.shape[-2] < length:
        raise DataError(f"a window has {length} steps; got {values.shape[-2]}")
    window = values[..., -length:, :]
    if not (np.abs(window) <= HIGHEST).all():
        raise DataError(f"the series has a value that is not a finite number within ±{HIGHEST:g}")
    return np.array(window, dtype=np.float32, order="C")
