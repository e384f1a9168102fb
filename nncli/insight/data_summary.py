"""The summary of a data set in plain values: counts, shapes, types, classes, columns, texts, and where it is stored."""

import math
from typing import Any

import torch
from torch import Tensor

from nncli.data.base import Data
from nncli.data.rows import Mapped, Rows, Windows
from nncli.data.text.vocabulary import Vocabulary
from nncli.insight.source import column_names, kind_of

SAMPLE = 100_000  # rows from which distinct values are counted
FIRST = 5  # rows and texts that are shown
LONGEST = 300  # characters of a text that are shown
QUANTILES = (0, 0.25, 0.5, 0.75, 1)


def described(data: Data, part: str) -> dict[str, Any]:
    """Everything that is shown of the data, with the columns, texts or ranges of one part."""
    rows = data.parts[part]
    kind = kind_of(data, rows)
    summary: dict[str, Any] = {
        "kind": kind,
        "parts": {name: _part(each, data.facts.get("classes")) for name, each in data.parts.items()},
        "found": data.inferred(),
        "part": part,
    }
    if kind == "table":
        summary["columns"], summary["rows"] = columns(data, rows), first_rows(data, rows)
    elif kind == "text":
        summary |= texts(data, rows)
    elif kind == "series" and isinstance(rows, Windows):
        summary["columns"] = _ranges(rows, data)
    return summary


def _part(rows: Rows, classes: list[str] | None) -> dict[str, Any]:
    x, y = rows.span(0, 1)
    summary: dict[str, Any] = {
        "samples": len(rows),
        "input": {"shape": list(x.shape[1:]) if rows.lengths is None else ["length"], "type": _type(x)},
        "target": {"shape": list(y.shape[1:]), "type": _type(y)},
        "bytes": rows.nbytes,
        "rests": "files, decoded for each batch" if rows.decodes else _place(rows),
    }
    if (labels := rows.labels) is None:
        return summary
    if labels.is_floating_point():
        summary["target"] |= {"min": float(labels.min()), "mean": float(labels.mean()), "max": float(labels.max())}
    else:
        numbers, counts = labels.unique(return_counts=True)
        named = [classes[n] if classes and 0 <= n < len(classes) else str(n) for n in numbers.tolist()]
        summary["classes"] = dict(zip(named, counts.tolist(), strict=True))
    return summary


def _type(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")


def _place(rows: Rows) -> str:
    if isinstance(rows, Mapped):
        return "a mapped file"
    return "memory, one series for all parts" if isinstance(rows, Windows) else "memory"


def columns(data: Data, rows: Rows) -> list[dict[str, Any]]:
    """Name, range, and most frequent value of each column of a table."""
    some = rows.spread(SAMPLE)
    x = rows.take(some)[0].reshape(len(some), -1)
    names = column_names(data, x.shape[1])
    return [_column(data, name, values) for name, values in zip(names, x.unbind(1), strict=True)]


def _column(data: Data, name: str, values: Tensor) -> dict[str, Any]:
    category = name in data.facts.get("categories", {})
    known = values[values > 0] if category else values[values.isfinite()]
    numbers, counts = known.unique(return_counts=True)
    whole = bool((known == known.floor()).all())
    column: dict[str, Any] = {"name": name, "kind": "category" if category else "whole" if whole else "number"}
    column |= {"missing": len(values) - len(known), "distinct": len(numbers)}
    if len(known) and not category:
        column |= {"min": float(known.min()), "mean": float(known.double().mean()), "max": float(known.max())}
    if len(known):
        column |= {"most": _cell(data, name, float(numbers[counts.argmax()])), "times": int(counts.max())}
    return column


def _cell(data: Data, name: str, value: float) -> str:
    """A stored number as it was written in the table."""
    if (values := data.facts.get("categories", {}).get(name)) is None:
        return "" if math.isnan(value) else f"{value:.6g}"
    return values[int(value) - 1] if 0 < value <= len(values) else ""


def first_rows(data: Data, rows: Rows) -> list[dict[str, Any]]:
    """The first rows, the target last."""
    x, y = rows.span(0, min(FIRST, len(rows)))
    x = x.reshape(len(x), -1)
    names = column_names(data, x.shape[1])
    lines = ([_cell(data, name, value) for name, value in zip(names, row, strict=True)] for row in x.tolist())
    return [
        {**dict(zip(names, cells, strict=True)), "→": answer(data, target)}
        for cells, target in zip(lines, y, strict=True)
    ]


def answer(data: Data, value: Tensor) -> str:
    """A target in readable form."""
    if value.dim():
        return "…"
    if value.is_floating_point():
        return f"{float(value):.6g}"
    classes = data.facts.get("classes") or []
    return str(classes[int(value)]) if 0 <= int(value) < len(classes) else str(int(value))


def texts(data: Data, rows: Rows) -> dict[str, Any]:
    """The size of the vocabulary, how long the texts are, and the first of them."""
    summary: dict[str, Any] = {}
    vocabulary = Vocabulary.parse(data.facts["tokenizer"]) if "tokenizer" in data.facts else None
    if vocabulary:
        summary["tokens"] = vocabulary.size
    if (lengths := rows.lengths) is not None:
        at = [math.floor(share * (len(lengths) - 1)) for share in QUANTILES]
        summary["lengths"] = lengths.sort().values[at].tolist()
    x, y = rows.take(torch.arange(min(FIRST, len(rows))))
    summary["texts"] = []
    for ids, target in zip(x, y, strict=True):
        text = vocabulary.decode(ids.tolist()) if vocabulary else " ".join(map(str, ids[ids != 0].tolist()))
        shown = _continued(vocabulary, target) if rows.labels is None else answer(data, target)
        summary["texts"].append({"text": text[:LONGEST], "target": shown})
    return summary


def _continued(vocabulary: Vocabulary | None, target: Tensor) -> str:
    ids = target.reshape(-1).tolist()
    return (vocabulary.decode(ids) if vocabulary else " ".join(map(str, ids)))[:LONGEST]


def _ranges(rows: Windows, data: Data) -> list[dict[str, Any]]:
    """Each column of a series over all its steps."""
    values = rows.values.reshape(len(rows.values), -1).double()
    named = column_names(data, values.shape[1])
    ranges = (values.amin(0), values.mean(0), values.amax(0))
    rows_of = zip(named, *(some.tolist() for some in ranges), strict=True)
    return [{"name": name, "min": low, "mean": mean, "max": high} for name, low, mean, high in rows_of]
