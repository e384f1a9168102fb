"""Whether an exported file is the model it came from: its answers, metrics, size and speed beside the run's own."""

import os
import platform
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from nncli.contracts import Form, Judging
from nncli.data.files.progress import shown
from nncli.export.files import Exported
from nncli.export.measure import timing
from nncli.export.probe import probe
from nncli.run.answers import Answers

SIZES = (1, 3, 64)  # of the batches that a file must take
FAST = 1_000  # samples that are compared with --fast
PROBED = 256  # made-up samples, where there is no data
DROP, GROWTH = 0.01, 0.05  # by which 8-bit weights may lower the monitored score, and raise an error, of its size


class Comparison:
    """The differences between two models, over batches."""

    def __init__(self) -> None:
        self.largest = self.total = self.scale = 0.0
        self.numbers = self.samples = 0

    def add(self, ours: np.ndarray, theirs: np.ndarray) -> None:
        if ours.shape != theirs.shape:
            raise ValueError(f"its answers have the shape {list(theirs.shape)}, those of the run {list(ours.shape)}")
        gap = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
        self.largest = max(self.largest, float(np.nan_to_num(gap, nan=np.inf).max(initial=0.0)))
        self.scale = max(self.scale, float(np.abs(ours[np.isfinite(ours)]).max(initial=0.0)))
        self.total += float(gap.sum())
        self.numbers, self.samples = self.numbers + gap.size, self.samples + len(ours)


def accept(
    file: Exported, task: Any, form: Form, data: Any, *, tolerance: float | None, fast: bool = False, timed: bool = True
) -> dict[str, Any]:
    """The report on a file; `data` is None where it cannot be loaded.

    With a `tolerance` of None, any difference is allowed that leaves the monitored metric as good.
    """
    part = None if data is None else part_of(data)
    judging = task if isinstance(task, Judging) and file.card["form"] == "predict" else None
    gap, few, answers = Comparison(), None, (Answers(0), Answers(0))
    if part and data is not None:
        answers = tuple(Answers(_count(data.evaluation(part))) for _ in range(2))
    made_up = [(torch.from_numpy(probe(file.card, PROBED)), None)]
    for x, y in made_up if data is None else _batches(data, fast):
        ours, theirs = _both(file, form, x)
        gap.add(ours, theirs)
        few = x if few is None else few
        if judging and y is not None:
            for found, kept in zip((ours, theirs), answers, strict=True):
                kept.add(*judging.answers_from(torch.from_numpy(found), (x, y)))
    assert few is not None
    fixed = file.card["input"]["shape"][0]
    for size in SIZES:
        gap.add(*_both(file, form, torch.from_numpy(np.resize(few.numpy(), (size, *few.shape[1:])))))
    allowed = None if tolerance is None else tolerance * max(1.0, gap.scale)
    metrics = _metrics(task, answers) if judging and part else {}
    return {
        "samples": f"{gap.samples - sum(SIZES):,} of the {part} part" if part else f"{PROBED} made-up samples",
        "largest_difference": gap.largest,
        "mean_difference": gap.total / gap.numbers,
        "allowed_difference": allowed,
        "same_classes": data is None or same_classes(file.card, data),
        "metrics": metrics,
        "monitored": monitored(task, metrics) if tolerance is None else {},
        "batches": [fixed] if fixed else list(SIZES),
        "timing": _timings(file, form, few) if timed else {},
        "machine": {"system": platform.platform(), "cores": os.cpu_count(), "threads": torch.get_num_threads()},
    }


def failures(report: Mapping[str, Any]) -> list[str]:
    """What is wrong with a file, by its report."""
    found = []
    allowed = report["allowed_difference"]
    if allowed is not None and not report["largest_difference"] <= allowed:
        found.append(
            f"its answers differ from those of the run by up to {report['largest_difference']:.3g}; "
            f"{allowed:.3g} is allowed"
        )
    drop = report.get("monitored")
    if allowed is None and not drop:
        found.append("no metric shows whether 8-bit weights are as good; --tolerance states what difference is allowed")
    elif allowed is None and drop and not drop["worse_by"] <= drop["allowed"]:
        found.append(
            f"8-bit weights make {drop['metric']} worse by {drop['worse_by']:.3g}; {drop['allowed']:.3g} is allowed"
        )
    if not report.get("same_classes", True):
        found.append("its names of classes are not those of the data, in this order")
    return found


@torch.inference_mode()
def measured(
    task: Any, form: str, predict: Callable[[Tensor], Tensor], data: Any, *, fast: bool = False
) -> dict[str, float]:
    """The metrics of what predicts, on the part of the data that a file is compared on; {} where there are none."""
    if data is None or form != "predict" or not isinstance(task, Judging):
        return {}
    answers = Answers(_count(data.evaluation(part_of(data))))
    for x, y in _batches(data, fast):
        answers.add(*task.answers_from(predict(x), (x, y)))
    return cast(Any, task).evaluate(*answers.whole())[0]


def part_of(data: Any) -> str:
    """The part of the data that a file is compared on."""
    return "test" if "test" in data.parts else "val"


def _count(batches: Any) -> int:
    return sum(high - low for low, high in batches.bounds)


def _batches(data: Any, fast: bool) -> Iterator[tuple[Tensor, Tensor]]:
    batches, seen = data.evaluation(part_of(data)), 0
    for x, y in shown(((len(y), (x, y)) for x, y in batches), _count(batches), "comparing answers"):
        yield x, y
        seen += len(y)
        if fast and seen >= FAST:
            return


def _both(file: Exported, form: Form, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    with torch.inference_mode():
        ours = form.module(x).float().numpy()
    return ours, np.asarray(file(x.contiguous().numpy())[form.outputs[0]], dtype=np.float32)


def same_classes(card: Mapping[str, Any], data: Any) -> bool:
    """Whether a card names the classes of the data, in their order."""
    names = card["classes"]
    return names is None or names == [data.class_name(number) for number in range(data.num_classes)]


def monitored(task: Any, metrics: Mapping[str, Mapping[str, float | None]]) -> dict[str, Any]:
    """By how much the metric that chose the weights is worse than before; {} if it was not measured."""
    _, _, name = str(task.monitor).partition("/")
    both, better = metrics.get(name, {}), task.metrics.get(name)
    before, after = both.get("before"), both.get("after")
    if better is None or before is None or after is None:
        return {}
    allowed = GROWTH * abs(before) if better == "min" else DROP
    return {"metric": name, "worse_by": (after - before) * (1 if better == "min" else -1), "allowed": allowed}


def _metrics(task: Any, answers: tuple[Answers, ...]) -> dict[str, dict[str, float]]:
    before, after = (task.evaluate(*one.whole())[0] for one in answers)
    return {name: {"before": before[name], "after": after[name]} for name in before}


def _timings(file: Exported, form: Form, x: Tensor) -> dict[str, Any]:
    def in_torch(some: np.ndarray) -> Tensor:
        with torch.inference_mode():
            return form.module(torch.from_numpy(some))

    samples = x[:64].contiguous().numpy()
    return {"file": timing(file, samples, file.card["input"]["shape"][0]), "torch": timing(in_torch, samples)}
