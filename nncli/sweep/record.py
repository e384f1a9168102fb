"""What a sweep's folder and storage say, without changing either: for nn sweep show and nn sweep best."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite, log
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial

from nncli.errors import NnError
from nncli.paths import shown
from nncli.sweep.storage import patiently, storage
from nncli.sweep.study import counted
from nncli.sweep.trial import STATES, Trial, best_of, seen

ENOUGH = 4  # complete trials from which an importance is computed
TREES = 32  # of its forest


@dataclass(frozen=True)
class Record:
    """A sweep as it stands."""

    folder: Path
    words: list[str]
    fixed: list[str]
    metrics: list[str]
    directions: list[str]  # min or max, of each metric
    slots: Mapping[int, FrozenTrial]

    @cached_property
    def trials(self) -> list[Trial]:
        """All trials, by number."""
        return seen(self.slots)

    @cached_property
    def dimensions(self) -> dict[str, Any]:
        """The keys, and Optuna's distribution of each."""
        return {key: one for trial in self.slots.values() for key, one in trial.distributions.items()}

    def results(self, one: Trial) -> dict[str, float]:
        """The metrics of a trial; none if it was never evaluated."""
        return dict(zip(self.metrics, one.values or [], strict=False))

    @cached_property
    def complete(self) -> list[Trial]:
        """The trials that can be compared."""
        return [one for one in self.trials if one.state == "complete" and one.values and all(map(isfinite, one.values))]

    @cached_property
    def winners(self) -> list[Trial]:
        """The best trial; of several metrics, the trials than which none is better in all, by the first metric."""
        if len(self.metrics) == 1:
            best = best_of(self.complete, self.directions[0])
            return [best] if best else []
        signs = [1 if one == "min" else -1 for one in self.directions]
        losses = {one.slot: [s * v for s, v in zip(signs, one.values or [], strict=True)] for one in self.complete}

        def beaten(mine: list[float]) -> bool:
            return any(
                other != mine and all(a <= b for a, b in zip(other, mine, strict=True)) for other in losses.values()
            )

        front = [one for one in self.complete if not beaten(losses[one.slot])]
        return sorted(front, key=lambda one: losses[one.slot])

    def ranked(self) -> list[Trial]:
        """The trials that have begun: those that can be compared first, the best of all at the top."""
        order, best = ["complete", "pruned", "running", "failed"], [one.slot for one in self.winners]
        sign = 1 if self.directions[0] == "min" else -1
        begun = [one for one in self.trials if one.state in order]

        def rank(one: Trial) -> tuple[Any, ...]:
            value = sign * one.values[0] if one.values else inf
            return one.slot not in best, order.index(one.state), value, one.slot

        return sorted(begun, key=rank)

    def counts(self) -> dict[str, int]:
        """How many trials there are in each state."""
        return {state: sum(one.state == state for one in self.trials) for state in STATES.values()}

    @cached_property
    def importance(self) -> list[dict[str, float]]:
        """For each metric, the share of its variance that each key explains by itself, largest first.

        It is Optuna's fANOVA, with logarithmic keys as their logarithms. A key that only some trials have is looked at
        among these.
        """
        return [self._importance(place) for place in range(len(self.metrics))]

    def _importance(self, place: int) -> dict[str, float]:
        from optuna.importance import FanovaImportanceEvaluator  # imports scikit-learn

        trials = [_linear(self.slots[one.slot], place) for one in self.complete]
        common = {key for key in self.dimensions if all(key in trial.params for trial in trials)}
        shares: dict[str, float] = {}
        for key in [None, *(self.dimensions.keys() - common)]:
            keys = sorted(common | ({key} if key else set()))
            among = [trial for trial in trials if set(keys) <= trial.params.keys()]
            if len(among) < ENOUGH or not keys:
                continue
            if len({trial.value for trial in among}) == 1:
                found = dict.fromkeys(keys, 0.0)
            else:
                study = optuna.create_study()
                study.add_trials(among)
                found = FanovaImportanceEvaluator(n_trees=TREES, seed=0).evaluate(study, keys)
            shares |= {name: float(found[name]) for name in ([key] if key else keys)}
        return dict(sorted(shares.items(), key=lambda pair: -pair[1]))


def _linear(trial: FrozenTrial, place: int) -> FrozenTrial:
    """A trial of one metric, with the logarithms of its logarithmic keys."""
    params: dict[str, Any] = dict(trial.params)
    kinds: dict[str, Any] = dict(trial.distributions)
    for key, kind in kinds.items():
        if isinstance(kind, FloatDistribution | IntDistribution) and kind.log:
            low, high = log(kind.low), log(kind.high)
            params[key], kinds[key] = min(max(log(params[key]), low), high), FloatDistribution(low, high)
    return create_trial(value=trial.values[place], params=params, distributions=kinds)


def open_sweep(folder: Path, url: str | None = None) -> Record:
    """A sweep by its folder; `url` is the database of its trials, if its words do not name it."""
    file = folder / "sweep.yaml"
    if not file.is_file():
        raise NnError(f"{shown(folder)} is not a sweep: it has no sweep.yaml. To begin one: nn sweep")
    facts = read_facts(file)
    words = facts["words"]
    typed = [word.partition("=")[2].strip("'\"") for word in words if word.startswith("sweep.storage=")]
    where = url or next((one for one in typed if "://" in one), str(folder / "study.log"))
    distant = "://" in where
    if not distant and not Path(where).is_file():
        raise NnError(
            f"{shown(folder)} has no study.log, which is the record of its trials; the same line again makes it anew: "
            f"nn sweep --resume {folder.name}"
        )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    there = storage(where)
    try:
        study = patiently(lambda: optuna.load_study(study_name=folder.name if distant else None, storage=there))
    except (KeyError, ValueError) as error:
        raise NnError(f"the storage of {shown(folder)} does not have its trials; begin it again: nn sweep") from error
    trials = patiently(lambda: study.get_trials(deepcopy=False))
    slots = counted(trial for trial in trials if "slot" in trial.user_attrs)
    return Record(folder, words, facts["fixed"], facts["metrics"], facts["directions"], slots)


def read_facts(file: Path) -> dict[str, Any]:
    """What sweep.yaml says."""
    try:
        facts = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        facts = None
    lists = ("words", "fixed", "metrics", "directions")
    if not isinstance(facts, dict) or not all(isinstance(facts.get(key), list) for key in lists):
        raise NnError(f"{shown(file)} is not as nn sweep writes it")
    return facts
