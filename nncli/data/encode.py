"""Raw samples that are numbers already, as a source would give them, by what it learned (`facts`) alone."""

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
    """A sample of `facts["shape"]`, or a batch of them (N, …). Rows may be mappings where columns have names."""
    shape, wanted = list(known(facts, "shape")), np.dtype(facts.get("dtype", "float32"))
    values = array(by_name(raw, facts.get("columns")))
    if list(values.shape) not in (shape, [*values.shape[:1], *shape]):
        raise DataError(f"a sample of this data has the shape {shape}; this one has {list(values.shape)}")
    if wanted.kind == "f":
        with np.errstate(over="ignore"):  # what is too large becomes inf, and is refused as that
            found = values.astype(wanted)
        if not np.isfinite(found).all():
            raise DataError("the sample has a value that is no finite number")
        return torch.from_numpy(found)
    return torch.from_numpy(whole(values, wanted))


def listed(raw: Any) -> Any:
    """The rows of a CSV file, where one is named; anything else as it is."""
    if not isinstance(raw, str | Path) or Path(raw).suffix.lower() != ".csv":
        return raw
    try:
        with open(raw, newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{raw} cannot be read as a table: {error}") from error


def known(facts: Facts, name: str) -> Any:
    """One of the facts; that it is not there means that nothing was learned yet."""
    if name not in facts:
        raise DataError(
            "nothing is known of the samples: no data was looked at, and none of an earlier run's facts given"
        )
    return facts[name]


def array(raw: Any) -> np.ndarray:
    """Numbers in whatever holds them: an array, a tensor, lists."""
    if isinstance(raw, Tensor):
        raw = raw.detach().cpu().numpy()
    try:
        values = np.asarray(raw)
    except ValueError as problem:  # lists of different lengths
        raise DataError(f"a sample must be numbers in rows of equal length: {problem}") from problem
    if values.dtype.kind not in "biuf":
        raise DataError(f"a sample must be numbers; this one is of type {values.dtype}")
    return values


def whole(values: np.ndarray, wanted: np.dtype[Any]) -> np.ndarray:
    """The same values as whole numbers; others, and such as have no place in the type, are refused."""
    limits = np.iinfo(wanted)
    if values.size and (values.min() < limits.min or values.max() > limits.max or (values != np.floor(values)).any()):
        raise DataError(f"a value of a sample must be a whole number from {limits.min} to {limits.max}")
    return np.ascontiguousarray(values.astype(wanted))


def by_name(raw: Any, names: Sequence[str] | None) -> Any:
    """Values in the order of the columns, where rows name them."""
    if isinstance(raw, Mapping):
        if names is None:
            raise DataError("the columns of this data have no names; give a row as a list of numbers")
        if lost := [name for name in names if name not in raw]:
            raise DataError(f"column '{lost[0]}' is not there; the net was trained on {', '.join(names)}")
        return [raw[name] for name in names]
    if isinstance(raw, Sequence) and not isinstance(raw, str | bytes) and any(isinstance(row, Mapping) for row in raw):
        return [by_name(row, names) for row in raw]
    return raw
