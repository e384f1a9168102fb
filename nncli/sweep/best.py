"""The best trial of a sweep: the line that trains it again, and what it reaches with other seeds on the test part."""

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from nncli.config.compose import compose, freeze
from nncli.errors import NnError
from nncli.run.assemble import require
from nncli.run.files import write_atomic
from nncli.run.folder import RunFolder
from nncli.run.processes.jobs import Job, train_all
from nncli.run.spread import spread
from nncli.run.summary import decimals
from nncli.sweep.record import Record, open_sweep
from nncli.sweep.space import Picked, Space
from nncli.sweep.trial import Trial

Tell = Callable[[str], object]


def line(record: Record, one: Trial) -> str:
    """The command that trains a trial again, and evaluates it on the test part."""
    return f"nn train {shlex.join(words(record, one.picked))}"


def words(record: Record, picked: Picked) -> list[str]:
    """The words of a trial, without what a sweep adds."""
    return [word for word in Space(record.fixed).words(picked) if not word.startswith("test=")]


def best(folder: Path, url: str | None = None) -> list[dict[str, Any]]:
    """The best trial, or the trials on the pareto front, with their command lines; raises NnError if there is none."""
    record = open_sweep(folder, url)
    return [
        {
            "trial": one.slot,
            "run": str(folder / f"{one.slot:04}"),
            "metrics": record.results(one),
            "values": one.picked,
            "type": line(record, one),
        }
        for one in _winners(record)
    ]


def _winners(record: Record) -> list[Trial]:
    if not record.winners:
        waits = any(one.state in ("waiting", "running") for one in record.trials)
        what = (
            "continue it with the same line" if waits else f"to see why they failed: nn sweep show {record.folder.name}"
        )
        raise NnError(f"{record.folder.name} has no complete trial; {what}")
    return record.winners


def refit(
    folder: Path,
    seeds: int,
    tell: Tell,
    *,
    beside: bool = False,
    trust: Collection[str] = (),
    url: str | None = None,
) -> dict[str, Any]:
    """Train the best trial with several seeds, none of which the search has seen, and evaluate the test part.

    `beside` does the same without the values that were found, and compares. What has been trained is kept: the same
    call again continues, and with more seeds adds to it.
    """
    record = open_sweep(folder, url)
    one = _winners(record)[0]
    sets = {f"refit-{one.slot:04}": words(record, one.picked)} | (
        {"refit-default": words(record, {})} if beside else {}
    )
    configs = {name: require(compose([*typed, "test=true"], trust=trust)) for name, typed in sets.items()}
    jobs = []
    for name, config in configs.items():
        for place in range(seeds):
            tree = config.tree.copy()
            tree["seed"] = config.tree.seed + 1 + place
            facts = {"sweep": folder.name, "refit": name, "number": place, "words": sets[name]}
            run = RunFolder(folder / f"{name}-{place}")
            file = _frozen(run, freeze(replace(config, tree=tree)))
            jobs.append(Job(run, facts, lambda file=file: file))

    def ended(job: Job, why: str) -> None:
        if why:
            raise NnError(f"{job.run.name} ended early: {why}. The same line again continues.")
        metrics = job.run.read(job.run.summary).get("metrics", {})
        tell(f"{job.run.name}  {' '.join(f'{name} {decimals(metrics[name])}' for name in _judged(metrics))}")

    train_all(jobs, next(iter(configs.values())), folder / "workers.log", ended, trust)
    results = {name: _summary([RunFolder(folder / f"{name}-{place}") for place in range(seeds)]) for name in configs}
    return {"trial": one.slot, "seeds": seeds, "type": line(record, one), "refits": results}


def _frozen(run: RunFolder, text: str) -> Path:
    """The file of a run's config; raises NnError if it has been trained with another one."""
    file = run.path.parent / "configs" / f"{run.path.name}.yaml"
    if run.config.is_file() and file.is_file() and file.read_text(encoding="utf-8") != text:
        raise NnError(f"{run.name} was trained before the recipe changed; to train it anew: nn runs rm {run.name}")
    file.parent.mkdir(exist_ok=True)
    write_atomic(file, text.encode())
    return file


def _judged(metrics: Mapping[str, Any]) -> list[str]:
    """The metrics of the test part, or else of the validation part."""
    part = "test/" if any(name.startswith("test/") for name in metrics) else "val/"
    return [name for name in metrics if name.startswith(part)]


def _summary(runs: Sequence[RunFolder]) -> dict[str, Any]:
    """The runs, and each metric's values, mean and spread; one value has no spread."""
    metrics = [run.read(run.summary).get("metrics", {}) for run in runs]
    found = dict[str, Any]()
    for name in _judged(metrics[0]):
        values = [one[name] for one in metrics]
        found[name] = {"values": values, "mean": fmean(values)} | (spread(values)._asdict() if values[1:] else {})
    return {"runs": [str(run.path) for run in runs], "metrics": found}
