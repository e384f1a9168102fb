"""Encode raw numeric samples as a source does, from its `facts` alone."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nncli.errors import DataError

Facts = Mapping[str, Any]


def encode(raw: Any, facts: Facts) -> Tensor:
    """A sample of `facts["shape"]`, or a batch of them (N, …). Rows may be mappings if columns have names."""
    shape, dtype = list(known(facts, "shape")), np.dtype(facts.get("dtype", "float32"))
    values = array(by_name(raw, facts.get("columns")))
    if list(values.shape) not in (shape, [*values.shape[:1], *shape]):
        raise DataError(f"a sample of this data has the shape {shape}; this one has {list(values.shape)}")
    if dtype.kind == "f":
        with np.errstate(over="ignore"):  # too large values become inf, and are refused
            numbers = values.astype(dtype)
        if not np.isfinite(numbers).all():
            raise DataError("the sample has a value that is not a finite number")
        return torch.from_numpy(numbers)
    return torch.from_numpy(whole(values, dtype))


def listed(raw: Any) -> Any:
    """The rows of a CSV file, if `raw` names one; anything else unchanged."""
    if not isinstance(raw, str | Path) or Path(raw).suffix.lower() != ".csv":
        return raw
    try:
        with open(raw, newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{raw} cannot be read as a table: {error}") from error


def known(facts: Facts, name: str) -> Any:
    """One of the facts; raises DataError if nothing has been derived from data yet."""
    if name not in facts:
        raise DataError(
            "nothing is known about the samples: no data was loaded, and no facts of an earlier run were given"
        )
    return facts[name]


def array(raw: Any) -> np.ndarray:
    """Numbers of an array, a tensor or lists as an array."""
    if isinstance(raw, Tensor):
        raw = raw.detach().cpu().numpy()
    try:
        values = np.asarray(raw)
    except ValueError as problem:  # lists of different lengths
        raise DataError(f"a sample must be numbers in rows of equal length: {problem}") from problem
    if values.dtype.kind not in "biuf":
        raise DataError(f"a sample must be numbers; this one is of type {values.dtype}")
    return values


def whole(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """The same values as integers; raises DataError for other values, and those outside the type's range."""
    limits = np.iinfo(dtype)
    if values.size and (values.min() < limits.min or values.max() > limits.max or (values != np.floor(values)).any()):
        raise DataError(f"a value of a sample must be a whole number from {limits.min} to {limits.max}")
    return np.ascontiguousarray(values.astype(dtype))


def by_name(raw: Any, names: Sequence[str] | None) -> Any:
    """Values in the order of the columns, if rows name them."""
    if isinstance(raw, Mapping):
        if names is None:
            raise DataError("the columns of this data have no names; give a row as a list of numbers")
        if lost := [name for name in names if name not in raw]:
            raise DataError(f"column '{lost[0]}' is missing; the net was trained on {', '.join(names)}")
        return [raw[name] for name in names]
    if isinstance(raw, Sequence) and not isinstance(raw, str | bytes) and any(isinstance(row, Mapping) for row in raw):
        return [by_name(row, names) for row in raw]
    return raw
