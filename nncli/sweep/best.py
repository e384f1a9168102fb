"""The best trial of a sweep: the line that trains it again, and what it reaches with other seeds on the test part."""

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from nncli.config.compose import compose, freeze
from nncli.errors import NnError, Stopped
from nncli.run.assemble import require
from nncli.run.folder import RunFolder
from nncli.run.processes.pool import Pool
from nncli.run.processes.signals import Signals
from nncli.run.removal import remove
from nncli.run.summary import decimals
from nncli.sweep.record import Record, open_sweep
from nncli.sweep.search import device_sets, workers
from nncli.sweep.settings import settings
from nncli.sweep.space import Picked, Space
from nncli.sweep.trial import Trial

LOOK = 0.1  # seconds between two looks at the runs
CERTAIN = 0.95
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
        raise NnError(f"{record.folder.name} has no complete trial yet; continue it with the same line")
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
    orders = []
    for name, config in configs.items():
        for place in range(seeds):
            tree = config.tree.copy()
            tree["seed"] = config.tree.seed + 1 + place
            facts = {"sweep": folder.name, "refit": name, "number": place, "words": sets[name]}
            orders.append(_order(folder / f"{name}-{place}", freeze(replace(config, tree=tree)), facts, trust))
    chosen = settings([word for word in record.words if word.startswith("sweep")])[0]
    left = [order for order in orders if RunFolder(Path(order["run"])).status() != "finished"]
    if left:
        pool = Pool(min(workers(chosen), len(left)), folder / "workers.log", device_sets(next(iter(configs.values()))))
        _train(pool, left, tell)
    results = {name: _summary([RunFolder(folder / f"{name}-{place}") for place in range(seeds)]) for name in configs}
    return {"trial": one.slot, "seeds": seeds, "type": line(record, one), "refits": results}


def _order(path: Path, frozen: str, facts: dict[str, Any], trust: Collection[str]) -> dict[str, Any]:
    """What a worker is told about a run; raises NnError if it has been trained with another config."""
    run, file = RunFolder(path), path.parent / "configs" / f"{path.name}.yaml"
    if path.exists() and not run.config.is_file():
        remove(run)  # it ended before it began
    if path.exists() and file.is_file() and file.read_text(encoding="utf-8") != frozen:
        raise NnError(f"{run.name} was trained before the recipe changed; to train it anew: nn runs rm {run.name}")
    file.parent.mkdir(exist_ok=True)
    file.write_text(frozen, encoding="utf-8")
    return {"config": str(file), "run": str(path), "trial": facts, "trust": list(trust)}


def _train(pool: Pool, left: list[dict[str, Any]], tell: Tell) -> None:
    """Train runs side by side; raises NnError if one fails, and Stopped to be continued."""
    with Signals().caught() as signals:
        signals.at_once = False
        try:
            while left or pool.busy():
                if signals.asked:
                    raise Stopped(signals.asked)
                for worker in pool.idle()[: len(left)]:
                    order = left.pop(0)
                    worker.train(RunFolder(Path(order["run"])), order)
                for run, answer in pool.answers(LOOK):
                    why = "its worker died" if answer is None else answer.get("failed")
                    if why or run.status() != "finished":
                        raise NnError(f"{run.name} ended early: {why or run.status()}. The same line again continues.")
                    metrics = run.read(run.summary).get("metrics", {})
                    tell(f"{run.name}  {' '.join(f'{name} {decimals(metrics[name])}' for name in _judged(metrics))}")
        except BaseException:
            pool.stop()
            raise
        pool.close()


def _judged(metrics: Mapping[str, Any]) -> list[str]:
    """The metrics of the test part, or else of the validation part."""
    part = "test/" if any(name.startswith("test/") for name in metrics) else "val/"
    return [name for name in metrics if name.startswith(part)]


def _summary(runs: Sequence[RunFolder]) -> dict[str, Any]:
    """The runs, and each metric's values, mean and interval."""
    metrics = [run.read(run.summary).get("metrics", {}) for run in runs]
    found = {name: interval([one[name] for one in metrics]) for name in _judged(metrics[0])}
    return {"runs": [str(run.path) for run in runs], "metrics": found}


def interval(values: Sequence[float]) -> dict[str, Any]:
    """Mean, standard deviation, and the 95% interval of the mean by Student's t; one value has no interval."""
    from scipy.special import stdtrit

    mean = fmean(values)
    if len(values) < 2:
        return {"values": list(values), "mean": mean, "deviation": None, "low": None, "high": None}
    deviation = stdev(values)
    half = float(stdtrit(len(values) - 1, 0.5 + CERTAIN / 2)) * deviation / sqrt(len(values))
    return {"values": list(values), "mean": mean, "deviation": deviation, "low": mean - half, "high": mean + half}
