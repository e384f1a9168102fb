"""Encode raw numbers as a source does, and what the encoders of other kinds of samples share. Without torch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nncli.errors import DataError

PAD = 0  # the token that pads short rows; no vocabulary uses it for a word
Samples = Mapping[str, Any]  # what is known about the samples of a source: its `facts` and `samples()`


def encode(raw: Any, samples: Samples) -> np.ndarray:
    """A sample of `samples["shape"]`, or a batch of them (N, …). Rows may be mappings if columns have names."""
    shape = list(known(samples, "shape"))
    values = array(by_name(raw, samples.get("columns")))
    if list(values.shape) not in (shape, [*values.shape[:1], *shape]):
        raise DataError(f"a sample of this data has the shape {shape}; this one has {list(values.shape)}")
    found, fine, wanted = checked(values, samples)
    if not fine.all():
        raise DataError(f"the sample has a value that is not {wanted}")
    return found


def checked(values: np.ndarray, samples: Samples) -> tuple[np.ndarray, np.ndarray, str]:
    """The values in the type of the samples, which of them it can represent, and what they must be."""
    dtype = np.dtype(samples.get("dtype", "float32"))
    with np.errstate(over="ignore", invalid="ignore"):  # too large values become inf, and are refused
        found = values.astype(dtype)
    if dtype.kind == "f":
        return found, np.isfinite(found), "a finite number"
    limits = np.iinfo(dtype)
    fine = (values >= limits.min) & (values <= limits.max) & (values == np.floor(values))
    return found, fine, f"a whole number from {limits.min} to {limits.max}"


def known(samples: Samples, name: str) -> Any:
    """What is known about the samples; raises DataError if nothing has been derived from data yet."""
    if name not in samples:
        raise DataError(
            "nothing is known about the samples: no data was loaded, and no facts of an earlier run were given"
        )
    return samples[name]


def array(raw: Any) -> np.ndarray:
    """Numbers of an array, a tensor or lists as an array."""
    try:
        values = np.asarray(raw)
    except ValueError as problem:  # lists of different lengths
        raise DataError(f"a sample must be numbers in rows of equal length: {problem}") from problem
    if values.dtype.kind not in "biuf":
        raise DataError(f"a sample must be numbers; this one is of type {values.dtype}")
    return values


def whole(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """The same values as integers; raises DataError for other values, and those outside the type's range."""
    found, fine, wanted = checked(values, {"dtype": dtype})
    if not fine.all():
        raise DataError(f"a value of a sample must be {wanted}")
    return np.ascontiguousarray(found)


def by_name(raw: Any, names: Sequence[str] | None) -> Any:
    """Values in the order of the columns, if rows or a data frame name them."""
    if not _named(raw):
        return raw
    if hasattr(raw, "columns") or isinstance(raw, Mapping):
        if names is None:
            raise DataError("the columns of this data have no names; give a row as a list of numbers")
        if lost := [name for name in names if name not in (raw if isinstance(raw, Mapping) else raw.columns)]:
            raise DataError(f"column '{lost[0]}' is missing; the net was trained on {', '.join(names)}")
        values = [raw[name] for name in names]
        return values if isinstance(raw, Mapping) else np.stack([np.asarray(column) for column in values], axis=1)
    return [by_name(row, names) for row in raw]


def _named(raw: Any) -> bool:
    """Whether values have the names of columns: in a mapping, a data frame of polars or pandas, or a list of these."""
    return (
        isinstance(raw, Mapping) or hasattr(raw, "columns") or (isinstance(raw, list | tuple) and any(map(_named, raw)))
    )
