"""Suspicious columns of a table: constant, revealing the target, or different from part to part.

N rows, F columns. Large parts are audited on evenly spaced rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from nncli.data.audit.findings import PLACES, Finding
from nncli.data.rows import Rows

SAMPLE = 50_000  # rows of a part that are audited
TELLS = 0.01  # share of wrong answers from one column alone that is too good to be true
LINE = 0.9995  # correlation of a column with a numeric target that is too good to be true
DRIFT = 0.2  # largest distance between the distributions of a column in two parts
SURE = 1.95  # scaled distance that occurs by chance in one of 1,000 columns (Smirnov 1948)

GAPS = 0.5  # share of missing values beyond which a column may be useless
FEW = 20  # rows up to which nothing can be concluded about a column

Name = Callable[[int], str]


def column_findings(parts: Mapping[str, Rows], name: Name) -> Iterator[Finding]:
    """Findings about the columns of these parts; `name` maps an index to the name of a column."""
    drawn = {part: _drawn(rows) for part, rows in parts.items() if len(rows)}
    if "train" not in drawn or any(x.ndim != 2 for x, _ in drawn.values()):
        return
    train, y = drawn["train"]
    count, flat = len(parts["train"]), _constant(parts["train"])
    for place, column in enumerate(train.T):
        if place in flat:
            text = f"{name(place)} has one value only in the train part"
            yield Finding("look", "constant column", text, "2 values or more", count)
            continue
        known = np.isfinite(column)
        if (missing := 1 - known.mean()) > GAPS:
            text = f"{name(place)} is missing in {missing:.0%} of the train part"
            yield Finding("look", "mostly missing", text, f"up to {GAPS:.0%}", round(missing * count))
        if y is not None and known.sum() >= FEW and (how := tells(column[known], y[known])):
            text = f"{name(place)} alone {how}: is it a copy of the target, or made from it?"
            yield Finding("look", "tells the target", text, f"more than {TELLS:.0%} wrong answers", int(known.sum()))
        for part in (part for part in drawn if part != "train"):
            other = drawn[part][0][:, place]
            if (far := distance(column[known], other[np.isfinite(other)])) > 0:
                text = f"{name(place)} is distributed otherwise in the {part} part than in the train part"
                bound = f"a Kolmogorov-Smirnov distance up to {DRIFT}; it is {far:.2f}"
                yield Finding("look", "drift", text, bound, len(parts[part]))


def unseen_categories(
    parts: Mapping[str, Rows], codes: Sequence[int], name: Name, where: Callable[[str, int], str]
) -> Iterator[Finding]:
    """Rows with categories that do not occur in training: code 0, if the train part has no 0."""
    if not codes or "train" not in parts:
        return
    zero = {part: torch.cat([x[:, list(codes)] == 0 for x, _ in rows.chunks()]) for part, rows in parts.items()}
    for part in (part for part in zero if part != "train"):
        for place, code in enumerate(codes):
            rows = zero[part][:, place].nonzero()[:, 0]
            if len(rows) and not zero["train"][:, place].any():
                text = f"{name(code)} is missing in the {part} part, or has values that never occur in training"
                places = [where(part, row) for row in rows[:PLACES].tolist()]
                yield Finding("look", "unseen category", text, "values of the train part", len(rows), places)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """The Kolmogorov-Smirnov distance of two samples if it is large and significant, else 0."""
    if not len(a) or not len(b):
        return 0.0
    values = np.concatenate([a, b])
    at_a, at_b = (np.searchsorted(np.sort(some), values, side="right") / len(some) for some in (a, b))
    far = float(np.abs(at_a - at_b).max())
    return far if far > max(DRIFT, SURE * np.sqrt(1 / len(a) + 1 / len(b))) else 0.0


def tells(x: np.ndarray, y: np.ndarray) -> str:
    """How a column reveals the target, or ""."""
    if y.dtype.kind == "f":
        if len(np.unique(x)) < 3 or y.std() == 0:
            return ""
        close = abs(float(np.corrcoef(x, y)[0, 1]))
        return f"follows the target (correlation {close:.4f})" if close > LINE else ""
    _, sizes = np.unique(y, return_counts=True)
    guessing = 1 - sizes.max() / len(y)  # the error of always predicting the most frequent class
    wrong = _mistakes(x, y) / len(y)
    return f"tells the class in {1 - wrong:.1%} of the rows" if wrong <= TELLS and wrong < guessing / 10 else ""


def _mistakes(x: np.ndarray, y: np.ndarray) -> int:
    """The error of a table from each value to its most frequent class.

    A value that occurs once counts as wrong if the next one has another class, since such a table would only memorize.
    """
    _, label = np.unique(y, return_inverse=True)
    values, value, sizes = np.unique(x, return_inverse=True, return_counts=True)
    width = int(label.max()) + 1
    pairs, counts = np.unique(value * width + label, return_counts=True)
    order = np.lexsort((counts, pairs // width))  # by value; its most frequent class comes last
    last = np.flatnonzero(np.append(np.diff((pairs // width)[order]) > 0, True))
    answer, right = (pairs % width)[order][last], int(counts[order][last].sum())
    assert len(answer) == len(values)
    alone = (sizes[1:] == 1) & (sizes[:-1] == 1)
    return len(x) - right + int((alone & (answer[1:] != answer[:-1])).sum())


def _drawn(rows: Rows) -> tuple[np.ndarray, np.ndarray | None]:
    which = rows.spread(SAMPLE)
    x, _ = rows.take(which)
    return x.numpy(), None if rows.labels is None else rows.labels[which].numpy()


def _constant(rows: Rows) -> list[int]:
    """The columns with one value in all rows."""
    pieces = [(x.amin(0), x.amax(0)) for x, _ in rows.chunks()]
    low, high = (torch.stack(some) for some in zip(*pieces, strict=True))
    return (low.amin(0) == high.amax(0)).nonzero()[:, 0].tolist()
