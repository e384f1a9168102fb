"""Several runs side by side: their metrics on the same part, and whether their difference from the first is real."""

import csv
import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor

from nncli.config.hosting import hosts
from nncli.config.origin import differing, leaves
from nncli.contracts import Direction
from nncli.data.base import Data
from nncli.errors import NnError
from nncli.insight.paired import holm, paired
from nncli.run.assemble import Parts, place_data
from nncli.run.eval import answered, judged, scores
from nncli.run.folder import RunFolder
from nncli.run.quiet import quiet_libraries
from nncli.run.restore import MOVABLE, restore

LISTED = 3  # keys of the data that are named
Curves = dict[str, list[tuple[int, float]]]  # of each metric: steps and values


@dataclass(frozen=True)
class Judged:
    """A run on a part of its data: metrics, and one score per sample, unless `why` says why there is none."""

    run: RunFolder
    metrics: dict[str, float]
    better: Mapping[str, Direction]
    monitor: str = ""
    metric: str = ""  # the mean of the scores
    scores: Tensor | None = None
    samples: str = ""  # a digest of which samples they are
    overlap: int = 1
    why: str = ""


@dataclass(frozen=True)
class Verdict:
    """A run against the first: how much better its metric is, unless `why` says why this was not tested."""

    run: str
    against: str
    metric: str = ""
    in_points: bool = False  # a share of the samples, in which 0.01 is a point
    gain: float | None = None  # by how much the metric is better than the first's; below 0 it is worse
    low: float | None = None
    high: float | None = None
    p: float | None = None  # corrected for the number of comparisons
    real: bool | None = None
    samples: int = 0
    blocks: int = 0  # independent groups of them
    why: str = ""


def distinct(runs: Sequence[RunFolder]) -> Sequence[RunFolder]:
    """The runs, if they are at least two different ones."""
    paths = [run.path.resolve() for run in runs]
    if twice := next((run for run, path in zip(runs, paths, strict=True) if paths.count(path) > 1), None):
        raise NnError(f"{twice.name} is named twice, and a run does not differ from itself; name different runs")
    if len(runs) < 2:
        had = f"only {runs[0].name} is named" if runs else "none is named"
        raise NnError(f"name at least two runs to compare, {had}: nn compare RUN RUN; to list the runs: nn runs ls")
    return runs


def judge(
    run: RunFolder,
    words: Sequence[str] = (),
    *,
    part: Literal["train", "val", "test"] = "test",
    which: Literal["best", "last"] = "best",
    trust: Collection[str] = (),
) -> Judged:
    """Evaluate a run, sample by sample where its task can."""
    config, parts = restore(run, words, which=which, trust=trust)
    if hosts(config):
        metrics = judged([run], words, part=part, which=which, trust=trust)["metrics"]
        return Judged(run, metrics, {}, why=f"{run.name} is a LightningModule, which nn cannot evaluate by sample")
    with quiet_libraries():
        place_data(config, parts, device=parts.where.device)
        columns = answered(parts, part)
        task = parts.task.cpu()
        metrics = {f"{part}/{name}": value for name, value in task.evaluate(*columns)[0].items()}
        metric, each = scores(parts, part, columns)
    better = {f"{part}/{name}": direction for name, direction in task.metrics.items()}
    samples, overlap = _digest(parts, part, len(each)), parts.data.parts[part].overlap
    found = Judged(run, metrics, better, task.monitor, f"{part}/{metric}", each, samples, overlap)
    mean, whole = float(each.double().mean()), metrics.get(found.metric, math.nan)
    if not math.isclose(mean, whole, rel_tol=1e-3, abs_tol=1e-9):  # never close to NaN or infinity
        return replace(found, scores=None, why=f"{found.metric} of {run.name} is {whole:.4g}, not a mean over samples")
    return found


def _digest(parts: Parts, part: str, count: int) -> str:
    """Which samples were evaluated: where they are in the person's files or else their values, and the targets."""
    data, digest = parts.data, hashlib.sha256(f"{count}".encode())
    rows = data.parts[part]
    if in_files := type(data).where is not Data.where:
        for row in range(len(rows)):
            digest.update(f"{data.where(part, row)}\n".encode())
    pairs = [(rows.labels, rows.labels)] if in_files and rows.labels is not None else rows.chunks()
    for x, y in pairs:
        for values in (y,) if in_files else (x, y):
            digest.update(values.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def verdicts(found: Sequence[Judged], level: float) -> list[Verdict]:
    """Each run after the first against the first; the p-values are corrected for the number of comparisons."""
    first, rest = found[0], found[1:]
    raw = [_verdict(first, one, level) for one in rest]
    corrected = iter(holm([one.p for one in raw if one.p is not None]))
    both = [replace(one, p=next(corrected)) if one.p is not None else one for one in raw]
    return [one if one.p is None else replace(one, real=one.p < level) for one in both]


def _verdict(first: Judged, one: Judged, level: float) -> Verdict:
    verdict = Verdict(one.run.name, first.run.name, one.metric)
    if why := first.why or one.why or _unpaired(first, one):
        return replace(verdict, why=why)
    assert first.scores is not None
    assert one.scores is not None
    sign = 1 if one.better.get(one.metric) == "max" else -1
    gains = sign * (one.scores.double() - first.scores.double()).numpy()
    result = paired(gains, overlap=one.overlap, level=level)
    return replace(
        verdict,
        in_points=not one.scores.is_floating_point(),
        gain=result.difference,
        low=result.low,
        high=result.high,
        p=result.p,
        samples=len(one.scores),
        blocks=result.blocks,
    )


def _unpaired(first: Judged, one: Judged) -> str:
    """Why the scores of two runs do not belong to the same samples."""
    if first.metric != one.metric:
        return f"{first.run.name} is judged by {first.metric}, {one.run.name} by {one.metric}"
    if first.samples == one.samples:
        return ""
    differ = differing([leaves(first.run.config), leaves(one.run.config)])
    keys = [key for key in differ if key.startswith("data.") and key not in MOVABLE]
    more = f"{', '.join(keys[:LISTED])}{' and others' if len(keys) > LISTED else ''}"
    why = f"; in the configs, {more} {'differs' if len(keys) == 1 else 'differ'}" if keys else ""
    return f"the samples of {one.run.name} are not those of {first.run.name}{why}"


def curves(run: RunFolder) -> Curves:
    """The columns of metrics.csv; cells that are not numbers are left out."""
    found: Curves = {}
    if not run.metrics.is_file():
        return found
    with run.metrics.open(newline="", encoding="utf-8", errors="replace") as file:
        for row in csv.DictReader(file):
            step = _number(row.pop("step", None))
            for name, cell in row.items():
                value = _number(cell)
                if step is not None and value is not None:
                    found.setdefault(name, []).append((int(step), value))
    return found


def _number(cell: Any) -> float | None:
    try:
        return value if math.isfinite(value := float(cell)) else None
    except (TypeError, ValueError):
        return None
