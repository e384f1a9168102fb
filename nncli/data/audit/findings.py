"""Find errors and suspicious properties of the parts of a data set, without using files or the screen."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, combinations_with_replacement
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nncli.data.audit.copies import Twins, fingerprints, twins_between, twins_within
from nncli.data.rows import Rows, Windows

Severity = Literal["wrong", "look"]
PLACES = 3  # locations that a finding names
NAMED = 5  # classes that a finding names
CHANCE = 0.01  # share of a part's rows that may equal others by chance, unless they are pictures
IMBALANCE = 10  # times more samples in the largest class than in the smallest
MOST_CLASSES = 1_000_000


@dataclass(frozen=True)
class Finding:
    """One finding, its number of occurrences, and its first locations; `bound` is what would be accepted."""

    severity: Severity
    what: str
    text: str
    bound: str
    count: int
    where: list[str] = field(default_factory=list)


@dataclass
class Audit:
    """The parts of a data set, with the names and locations of their content."""

    parts: Mapping[str, Rows]
    kind: str
    num_classes: int | None
    where: Callable[[str, int], str]  # part and row -> file and row
    classes: list[str] | None = None
    decode: bool = False  # whether to audit samples that must be decoded from files
    gaps: bool = False  # whether NaN is a missing value in the inputs

    def findings(self) -> list[Finding]:
        """All findings, errors first."""
        empty = [Finding("wrong", "empty part", f"the {n} part has no samples", "1 or more", 0) for n in self._empty()]
        found = [*empty, *self.numbers(), *self.labels(), *self.balance(), *self.copies(), *self.windows()]
        return sorted(found, key=lambda finding: finding.severity != "wrong")

    def compared(self) -> dict[str, Rows]:
        """The parts whose samples are read."""
        return {n: rows for n, rows in self.parts.items() if len(rows) and (self.decode or not rows.decodes)}

    def numbers(self) -> Iterator[Finding]:
        """Values that are not finite."""
        for name, rows in self.compared().items():
            for what, bad in zip(("inputs", "targets"), _not_finite(rows, self.gaps), strict=True):
                if len(bad):
                    text = f"{what} of the {name} part hold values that are not finite"
                    places = [self.where(name, row) for row in bad[:PLACES].tolist()]
                    yield Finding("wrong", "not finite", text, "finite numbers", len(bad), places)

    def labels(self) -> Iterator[Finding]:
        """Labels that are not a class."""
        if (top := self.num_classes) is None:
            return
        for name, y in self._labels().items():
            bad = np.flatnonzero((y < 0) | (y >= top))
            if bad.size:
                odd = ", ".join(map(str, np.unique(y[bad])[:NAMED].tolist()))
                text = f"labels of the {name} part are no class: {odd}"
                bound = f"0 to {top - 1}, since data.num_classes is {top}"
                places = [self.where(name, row) for row in bad[:PLACES].tolist()]
                yield Finding("wrong", "label out of range", text, bound, bad.size, places)

    def balance(self) -> Iterator[Finding]:
        """Classes that are rare, or missing in some parts."""
        classes, counts = self._class_counts()
        if "train" not in counts or not counts["train"].any():
            return
        train = counts["train"]
        for name in (name for name in counts if name != "train"):
            if (new := classes[(counts[name] > 0) & (train == 0)]).size:
                text = f"classes of the {name} part never occur in training: {self._named(new)}"
                yield Finding("wrong", "unseen class", text, "every class in the train part", new.size)
            if (gone := classes[(counts[name] == 0) & (train > 0)]).size:
                text = f"classes of the train part do not occur in the {name} part: {self._named(gone)}"
                yield Finding("look", "missing class", text, "every class in every part", gone.size)
        if (nowhere := classes[sum(counts.values(), np.zeros_like(train)) == 0]).size:
            severity: Severity = "wrong" if classes[-1] in nowhere and not self.classes else "look"
            text = f"classes that occur nowhere: {self._named(nowhere)}"
            yield Finding(severity, "missing class", text, f"data.num_classes is {len(classes)}", nowhere.size)
        yield from self._imbalance(classes[train > 0], train[train > 0])

    def _imbalance(self, classes: np.ndarray, counts: np.ndarray) -> Iterator[Finding]:
        if len(classes) == 1:
            text = f"all samples of the train part are of one class: {self._named(classes)}"
            yield Finding("wrong", "one class", text, "2 classes or more", int(counts[0]))
        elif (ratio := counts.max() / counts.min()) > IMBALANCE:
            most, least = (self._named(classes[[at]]) for at in (counts.argmax(), counts.argmin()))
            text = f"class {least} is {ratio:.0f} times rarer than {most} in the train part"
            bound = f"up to {IMBALANCE} times; loader.sampling=balanced draws all classes equally often"
            yield Finding("look", "imbalance", text, bound, int(counts.min()))

    def copies(self) -> Iterator[Finding]:
        """Samples that occur in two parts, or twice in one, and equal inputs with different labels."""
        parts = {name: rows for name, rows in self.compared().items() if not isinstance(rows, Windows)}
        prints = {name: fingerprints(rows) for name, rows in parts.items()}
        for a, b in combinations_with_replacement(parts, 2):
            if a == b:
                pairs = twins_within(prints[a])
                text, bound = f"samples of the {a} part are copies of others in it", "each sample once"
                copies = Finding("look", "duplicate", text, bound, len(pairs), self._places(a, b, pairs))
            else:
                pairs = twins_between(prints[a], prints[b])
                copies = self._pairs("leak", f"samples of the {b} part stand in the {a} part too", a, b, pairs)
            if len(pairs):
                yield copies
            yield from self._contradictions(a, b, pairs)

    def windows(self) -> Iterator[Finding]:
        """Target steps of a series in two parts. Inputs naturally overlap, since a forecast starts from the past."""
        parts = {name: rows for name, rows in self.compared().items() if isinstance(rows, Windows)}
        for a, b in combinations(parts, 2):
            shared = _shared_targets(parts[a], parts[b])
            if len(shared):
                text = f"windows of the {b} part have targets that the {a} part has too"
                places = [self.where(b, row) for row in shared[:PLACES].tolist()]
                yield Finding("wrong", "leak", text, "each step in one part", len(shared), places)

    def _contradictions(self, a: str, b: str, pairs: Twins) -> Iterator[Finding]:
        labels = self._labels()
        if a in labels and b in labels:
            other = pairs.only(labels[a][pairs.first] != labels[b][pairs.second])
            if len(other):
                whose = f"the {a} part" if a == b else f"the {a} and the {b} part"
                yield self._pairs("labels differ", f"equal inputs of {whose} have different labels", a, b, other)

    def _pairs(self, what: str, text: str, a: str, b: str, pairs: Twins) -> Finding:
        """Equal pictures are not accidental; of numeric rows and short texts, a few may be."""
        allowed = 0 if self.kind == "image" else max(1, int(CHANCE * len(self.parts[b])))
        severity: Severity = "wrong" if len(pairs) > allowed else "look"
        bound = f"up to {allowed:,}, which may be chance" if allowed else "none"
        return Finding(severity, what, text, bound, len(pairs), self._places(a, b, pairs))

    def _places(self, a: str, b: str, pairs: Twins) -> list[str]:
        some = zip(pairs.first[:PLACES].tolist(), pairs.second[:PLACES].tolist(), strict=True)
        return [f"{self.where(b, second)} = {self.where(a, first)}" for first, second in some]

    def _empty(self) -> list[str]:
        return [name for name, rows in self.parts.items() if not len(rows)]

    def _labels(self) -> dict[str, np.ndarray]:
        """The labels of the parts that have one integer per sample."""
        found = {name: rows.labels for name, rows in self.parts.items() if len(rows)}
        return {name: y.cpu().numpy() for name, y in found.items() if y is not None and not y.is_floating_point()}

    def _class_counts(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The classes, and the count of each in each part, without labels that are not a class."""
        labels = self._labels()
        if self.num_classes is not None and self.num_classes <= MOST_CLASSES:
            classes = np.arange(self.num_classes)
            labels = {name: y[(y >= 0) & (y < self.num_classes)] for name, y in labels.items()}
        else:
            classes = np.unique(np.concatenate([*labels.values(), np.empty(0, np.int64)]))
        counted = {n: np.bincount(np.searchsorted(classes, y), minlength=len(classes)) for n, y in labels.items()}
        return classes, counted

    def _named(self, numbers: np.ndarray) -> str:
        names = self.classes or []
        few = [names[n] if 0 <= n < len(names) else str(n) for n in numbers[:NAMED].tolist()]
        return ", ".join(few) + (f" and {len(numbers) - NAMED:,} more" if len(numbers) > NAMED else "")


def _not_finite(rows: Rows, gaps: bool) -> tuple[Tensor, Tensor]:
    """The rows with a value that is not finite, in their inputs and in their targets."""
    none = torch.empty(0, dtype=torch.int64)
    bad = ([none], [none])
    at = 0
    if any(values.is_floating_point() for values in rows.span(0, 1)):
        for batch in rows.chunks():
            for values, found, may in zip(batch, bad, (gaps, False), strict=True):
                if values.is_floating_point() and not (fine := values.isfinite() | (values.isnan() & may)).all():
                    found.append((~fine.reshape(len(values), -1).all(dim=1)).nonzero()[:, 0] + at)
            at += len(batch[1])
    return torch.cat(bad[0]), torch.cat(bad[1])


def _shared_targets(a: Windows, b: Windows) -> Tensor:
    """The windows of `b` with a target step that is also one of `a`; none if they are from different series."""
    if a.values.data_ptr() != b.values.data_ptr():
        return torch.empty(0, dtype=torch.int64)
    edges = torch.zeros(len(a.values) + 1, dtype=torch.int64)  # +1 where a target begins, -1 after its end
    one = torch.ones(len(a), dtype=torch.int64)
    edges.index_add_(0, a.starts + a.offset, one)
    edges.index_add_(0, a.starts + a.offset + a.ahead, -one)
    taken = torch.cat([torch.zeros(1, dtype=torch.int64), (edges[:-1].cumsum(0) > 0).long().cumsum(0)])
    low = b.starts + b.offset
    return (taken[low + b.ahead] > taken[low]).nonzero()[:, 0]
