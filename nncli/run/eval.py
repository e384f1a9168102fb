"""Evaluate a finished run, or several as an ensemble, on a part of the data."""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from nncli.config.hosting import hosts
from nncli.contracts import PerSample
from nncli.run import random
from nncli.run.answers import Answers
from nncli.run.assemble import Parts, place_data
from nncli.run.ensemble import Combine, restore_ensemble
from nncli.run.folder import RunFolder
from nncli.run.precision import autocast
from nncli.run.quiet import quiet_libraries
from nncli.run.restore import restore


def judged(
    runs: Sequence[RunFolder],
    words: Sequence[str] = (),
    *,
    part: Literal["train", "val", "test"] = "test",
    which: Literal["best", "last"] = "best",
    combine: Combine = "mean",
    trust: Collection[str] = (),
) -> dict[str, Any]:
    """The metrics on a part of the (first) run's data, with details of the task such as the confusion matrix."""
    if len(runs) == 1:
        (config, parts), predict = restore(runs[0], words, which=which, trust=trust), None
    else:
        config, parts, predict = restore_ensemble(runs, words, combine=combine, which=which, trust=trust)
    with quiet_libraries():
        if hosts(config):
            from nncli.run import hosted

            return {"metrics": hosted.evaluate(parts.task, parts.data, parts.trainer, parts.where, part)}
        place_data(config, parts, device=parts.where.device)
        results, details = evaluate(parts, part, predict)
    return described(parts, part, results, details)


def described(parts: Parts, part: str, results: dict[str, float], details: dict[str, Any]) -> dict[str, Any]:
    """Metrics by their full names, and the details of classes and columns by theirs."""
    metrics = {f"{part}/{name}": value for name, value in results.items()}
    if rows := details.get("classes"):
        names = parts.task.facts.get("classes") or range(len(rows))
        details["classes"] = [{"class": str(name), **row} for name, row in zip(names, rows, strict=True)]
    if rows := details.get("columns"):
        names = parts.task.facts.get("columns") or range(len(rows))
        details["columns"] = [{"column": str(name), **row} for name, row in zip(names, rows, strict=False)]
    return {"metrics": metrics, **details}


@torch.no_grad()
def evaluate(
    parts: Parts, part: str, predict: Callable[[Tensor], Tensor] | None = None
) -> tuple[dict[str, float], dict[str, Any]]:
    """Every metric of the task on a part, in its natural order, with details.

    `predict` takes the place of the task's own, for several tasks together or an exported file.
    """
    columns = answered(parts, part, predict)
    return parts.task.cpu().evaluate(*columns)


@torch.no_grad()
def answered(parts: Parts, part: str, predict: Callable[[Tensor], Tensor] | None = None) -> tuple[Tensor, ...]:
    """The columns of the task's answers for a part, in its natural order."""
    device = parts.where.device
    task, batches = parts.task.to(device).eval(), parts.data.evaluation(part)
    answers = Answers(sum(high - low for low, high in batches.bounds))
    random.seed_all(0)
    for batch in batches:
        batch = tuple(t.to(device, non_blocking=True) for t in batch)
        with autocast(device, parts.where.precision):
            answers.add(*(task.answers_from(predict(batch[0]), batch) if predict else task.answers(batch)))
    return answers.whole()


@torch.no_grad()
def scores(parts: Parts, part: str, columns: tuple[Tensor, ...]) -> tuple[str, Tensor]:
    """A metric and its value for each sample; of a task that does not tell, the monitored metric, one by one."""
    task, device = parts.task, parts.where.device
    if isinstance(task, PerSample):
        return task.per_sample(*columns)
    task, name = task.to(device).eval(), task.monitor.partition("/")[2]
    values = []
    for batch in parts.data.evaluation(part):
        for x, y in zip(*(t.to(device).split(1) for t in batch), strict=True):
            values.append(task.metrics_from(task.metric_sums((x, y)).tolist()).get(name, math.nan))
    return name, torch.tensor(values, dtype=torch.float64)
