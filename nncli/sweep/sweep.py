"""Train the trials of a sweep: claim them one by one, hand them to workers, prune those that fall behind."""

import csv
import hashlib
import os
import re
import shlex
import time
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from nncli.config import search_path
from nncli.config.compose import Config, compose, freeze
from nncli.config.recipes import read as read_recipe
from nncli.errors import NnError, Stopped
from nncli.files import home
from nncli.paths import runs_dir, shown
from nncli.run.assemble import require
from nncli.run.files import write_atomic
from nncli.run.folder import RunFolder
from nncli.run.processes.pool import Pool
from nncli.run.processes.signals import Signals
from nncli.run.removal import remove
from nncli.run.summary import contents
from nncli.sweep.screen import SweepScreen
from nncli.sweep.settings import Settings
from nncli.sweep.settings import settings as read_settings
from nncli.sweep.space import Picked, Space, check, space
from nncli.sweep.study import ENDED, Claimed, Study, picked
from nncli.sweep.trial import Trial, best_of, seen

FACTS = "sweep.yaml"  # what a sweep searches, and how
PASSWORD = re.compile(r"://[^/]*:[^/]*@")
MOST = 8  # workers that `auto` starts
LOOK = 0.05  # seconds between two looks at the trials
ADOPT = 10.0  # seconds between two looks for programs that have died
GROWING = ("trials", "minutes", "patience", "workers", "retries", "fail", "storage")  # may change when it continues


@dataclass
class Following:
    """A run in training: how much of its metrics has been reported."""

    claimed: Claimed
    run: RunFolder
    rows: int = 0
    asked: bool = False  # to end early


@dataclass
class Sweep:
    """A sweep in its folder."""

    folder: Path
    settings: Settings
    space: Space
    config: Config  # of the first trial
    metrics: list[str]
    directions: list[str]
    facts: dict[str, Any]  # by which it is known again
    trust: Collection[str] = ()

    @cached_property
    def study(self) -> Study:
        """The record of its trials, which is made with the first look at it."""
        return Study(
            self.folder.name,
            self.settings.storage or str(self.folder / "study.log"),
            [f"{direction}imize" for direction in self.directions],
            partial(_sampler, self.settings),
            _pruner(self.settings, self.config),
        )

    def run(self, screen: SweepScreen) -> None:
        """Train until every trial has ended, or a limit is reached; raises Stopped with the rest still queued."""
        with Signals().caught() as signals:
            signals.at_once = False
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self.folder / FACTS, yaml.safe_dump(self.facts, sort_keys=False).encode())
            self.study.open(self.total, self.space.grid() if self.settings.method == "grid" else ())
            pool = Pool(workers(self.settings), self.folder / "workers.log", device_sets(self.config))
            try:
                self._train(pool, signals, screen)
            except BaseException:
                pool.stop()
                self.study.release()
                raise
            pool.close()

    @property
    def total(self) -> int:
        """How many trials there will be."""
        size = self.space.size() if self.settings.method == "grid" else None
        if size is not None:
            return int(min(size, self.settings.trials or size))
        assert self.settings.trials is not None
        return self.settings.trials

    def _train(self, pool: Pool, signals: Signals, screen: SweepScreen) -> None:
        began, looked = time.monotonic(), 0.0
        while True:
            if signals.asked:
                raise Stopped(signals.asked)
            self.study.beat()
            if time.monotonic() - looked > ADOPT or not looked:
                looked = time.monotonic()
                self.study.adopt()
                self._progress(screen)
            open_ = not self._enough(began)
            for worker in pool.idle() if open_ else ():
                if (claimed := self.study.claim(self.space)) is None:
                    break
                worker.train(*self._order(claimed))
            if not pool.busy() and (not open_ or all(one.state in ENDED for one in self.study.slots().values())):
                return
            for job, answer in pool.answers(LOOK):
                self._ended(job, answer, screen)
                self._progress(screen)
            for worker in pool.busy():
                self._follow(worker.job)

    def _order(self, claimed: Claimed) -> tuple[Following, dict[str, Any]]:
        """The job of a trial, whose config is frozen here."""
        run = RunFolder(self.folder / f"{claimed.slot:04}")
        if run.path.exists() and not run.config.is_file():
            remove(run)  # it ended before it began
        configs = self.folder / "configs"
        configs.mkdir(exist_ok=True)
        file = configs / f"{claimed.slot:04}.yaml"
        words = self.words(claimed.picked)
        file.write_text(freeze(compose(words, trust=self.trust)), encoding="utf-8")
        trial = {"sweep": self.folder.name, "number": claimed.slot, "words": words}
        order = {"config": str(file), "run": str(run.path), "trial": trial, "trust": list(self.trust)}
        return Following(claimed, run), order

    def words(self, picked: Picked) -> list[str]:
        """The words of a trial; the test part is not looked at."""
        return [*(word for word in self.space.words(picked) if not word.startswith("test=")), "test=false"]

    def _follow(self, one: Following) -> None:
        """Report new evaluations of a run, and end it if it falls behind."""
        if len(self.metrics) > 1 or self.settings.pruner == "none" or not one.run.metrics.is_file():
            return
        with one.run.metrics.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get(self.metrics[0])]
        for row in rows[one.rows :]:
            one.rows += 1
            if (
                self.study.report(one.claimed, int(float(row["epoch"])) + 1, float(row[self.metrics[0]]))
                and not one.asked
            ):
                one.asked = True
                one.run.pruned.touch()

    def _ended(self, one: Following, answer: dict[str, Any] | None, screen: SweepScreen) -> None:
        """Record how a trial ended."""
        claimed, values = one.claimed, list[float]()
        if answer is None:
            if self.study.lose(claimed, self.settings.retries):
                screen.ended(claimed.slot, "repeated", [], claimed.picked, "its process died; it is tried again")
                return
            state, why = "failed", "its process died"
        elif answer.get("stopped"):
            return  # queued again by `release`
        elif not (why := answer.get("failed", "")):
            facts = contents(one.run.summary)[0]
            state = "pruned" if facts.get("status") == "pruned" else "complete"
            found = [facts.get("metrics", {}).get(name, facts.get(name)) for name in self.metrics]
            if None in found:
                why = f"it has no {self.metrics[found.index(None)]}"
            else:
                values = [float(value) for value in found]
                self.study.end(claimed, values, pruned=state == "pruned")
        if why:
            state = "failed"
            self.study.fail(claimed, why)
        screen.ended(claimed.slot, state, values, claimed.picked, why)
        if why and self.settings.fail == "stop":
            raise NnError(f"trial {claimed.slot} failed, and sweep.fail is stop: {why}")

    def _progress(self, screen: SweepScreen) -> None:
        trials = self.trials()
        best = self.best(trials)
        screen.progress(Counter(one.state for one in trials), (best.slot, (best.values or [0.0])[0]) if best else None)

    def _enough(self, began: float) -> bool:
        """Whether no further trial is to begin."""
        minutes, patience = self.settings.minutes, self.settings.patience
        if minutes is not None and time.monotonic() - began > minutes * 60:
            return True
        if patience is None or len(self.metrics) > 1:
            return False
        done = [trial for trial in self.study.slots().values() if trial.state in ENDED]
        values = [trial.value for trial in sorted(done, key=lambda one: one.number) if trial.value is not None]
        best = max if self.directions[0] == "max" else min
        return len(values) - 1 - values.index(best(values)) >= patience if values else False

    def preview(self, count: int) -> list[list[str]]:
        """The words of the first trials, without recording anything."""
        import optuna

        if self.settings.method == "grid":
            return [self.words(picked) for picked in islice(self.space.grid(), count)]
        study, found = optuna.create_study(directions=[f"{one}imize" for one in self.directions]), list[list[str]]()
        for slot in range(min(count, self.total)):
            study.sampler = _sampler(self.settings, slot)
            found.append(self.words(picked(study.ask(), self.space)))
        return found

    def trials(self) -> list[Trial]:
        """All trials, by number."""
        return seen(self.study.slots())

    def best(self, trials: list[Trial] | None = None) -> Trial | None:
        """The best complete trial."""
        return best_of(trials or self.trials(), self.directions[0])


def prepare(words: Sequence[str], trust: Collection[str] = ()) -> Sweep:
    """The sweep of these words, new or continued; raises NnError for what no trial could train."""
    settings, rest = read_settings(words)
    space = _space(settings, rest)
    config = require(check(space))
    metrics, directions = _metrics(settings, config)
    name = settings.name or f"{config.name}_sweep"
    folder = runs_dir() / name
    facts: dict[str, Any] = {
        "words": [word for word in words if not PASSWORD.search(word)],
        "searched": _lasting(words),
        "settings": {key: value for key, value in asdict(settings).items() if key not in GROWING},
        "config": hashlib.sha256(freeze(config).encode()).hexdigest(),
        "fixed": space.fixed,
        "metrics": metrics,
        "directions": directions,
    }
    _require_same(folder, facts)
    return Sweep(folder, settings, space, config, metrics, directions, facts, trust)


def _space(settings: Settings, words: Sequence[str]) -> Space:
    """What is searched: the words with several values, else what the recipe names, else what the way to search does."""
    found = space(words)
    if found.dimensions:
        return found
    recipe = next((word.partition("=")[2] for word in words if word.startswith("recipe=")), "")
    path = search_path.recipes().get(recipe, home(recipe))
    if recipe and path.is_file() and (named := read_recipe(path).space):
        return space([*words, *named])
    found = space([*words, *settings.space])
    there = set().union(*map(found.fitting, found.combinations()))
    found.keys = {key: one for key, one in found.keys.items() if key in there}  # a net need not have a width
    if not found.dimensions:
        raise NnError(
            "there is nothing to search: give a key several values, such as model.width=16,32 or "
            "'optimizer.lr=tag(log,interval(1e-4,1e-1))', or take sweep=auto"
        )
    return found


def named(name: str) -> Path:
    """The folder of a sweep; raises NnError if there is none of this name."""
    found = sorted(path.parent for path in runs_dir().glob(f"*/{FACTS}"))
    for folder in (runs_dir() / name, Path(name).absolute()):
        if (folder / FACTS).is_file():
            return folder
    near = get_close_matches(name, [path.name for path in found], 1)
    hint = f" Did you mean {near[0]}?" if near else f" The sweeps are: {', '.join(p.name for p in found) or 'none yet'}"
    raise NnError(f"there is no sweep {name}.{hint}")


def words_of(folder: Path) -> list[str]:
    """The words that began a sweep."""
    return list(yaml.safe_load((folder / FACTS).read_text(encoding="utf-8"))["words"])


def _lasting(words: Sequence[str]) -> list[str]:
    """The words that may not change when a sweep continues."""
    return [word for word in words if word.partition("=")[0] not in {f"sweep.{key}" for key in GROWING}]


def _require_same(folder: Path, facts: dict[str, Any]) -> None:
    """Raise NnError if a folder is that of a sweep with other words or configs, or of something else."""
    file = folder / FACTS
    if not file.is_file():
        if folder.exists() and any(folder.iterdir()):
            raise NnError(f"{shown(folder)} exists and is no sweep; choose another name: sweep.name=…")
        return
    there = yaml.safe_load(file.read_text(encoding="utf-8"))
    what = {"searched": "other words", "settings": "other settings", "config": "a recipe that has changed since"}
    if odd := [key for key in what if facts[key] != there.get(key)]:
        raise NnError(
            f"the sweep {folder.name} was begun with {what[odd[0]]}; to begin another one: sweep.name=…\n"
            f"  it was: nn sweep {shlex.join(there.get('words', []))}"
        )


def _metrics(settings: Settings, config: Config) -> tuple[list[str], list[str]]:
    """The names of what is compared, and whether lower (min) or higher (max) is better."""
    from nncli.config.slots import target_class

    task = config.tree.task
    given = task.monitor if settings.metric == "auto" else settings.metric
    names = [given] if isinstance(given, str) else list(given)
    known: dict[str, Any] = {
        f"val/{key}": value for key, value in target_class(task._target_, config.trust).metrics.items()
    }
    known["parameters"] = "min"
    if odd := [name for name in names if name not in known]:
        from nncli.config.nearest import guess

        raise NnError(f"sweep.metric is {odd[0]}. {guess(odd[0], known)}It can be {', '.join(known)}")
    return names, [known[name] for name in names]


def workers(settings: Settings) -> int:
    """How many trials are trained side by side: one on each GPU, or on each core, which serves small nets best."""
    if settings.workers != "auto":
        return settings.workers
    return gpus() or max(1, min(os.cpu_count() or 1, MOST, settings.trials or MOST))


def gpus() -> int:
    """The number of GPUs of this machine; torch is imported only where there may be one."""
    if not Path("/dev/nvidia0").exists():
        return 0
    import torch

    return torch.cuda.device_count()


def device_sets(config: Config) -> list[str] | None:
    """What each worker sees of the GPUs: as many as a trial takes."""
    each = config.tree.trainer.devices
    each = each if isinstance(each, int) else 1
    found = [",".join(map(str, range(low, low + each))) for low in range(0, gpus() - each + 1, each)]
    return found or None


def _sampler(settings: Settings, slot: int = 0) -> Any:
    """The search for one slot: each has its own random numbers, except where points are spread over all of them."""
    import optuna
    from optuna import samplers

    seed = int(np.random.SeedSequence([settings.seed, slot]).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match settings.method:
            case "tpe":
                return samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
            case "gp":
                return samplers.GPSampler(seed=seed)
            case "cmaes":
                return samplers.CmaEsSampler(seed=seed)
            case "qmc":
                return samplers.QMCSampler(seed=settings.seed, scramble=True)
        return samplers.RandomSampler(seed=seed)


def _pruner(settings: Settings, config: Config) -> Any:
    from optuna import pruners

    most = config.tree.trainer.max_epochs
    match settings.pruner:
        case "median":
            return pruners.MedianPruner()
        case "hyperband":
            return pruners.HyperbandPruner(max_resource=most)
        case "asha":
            return pruners.SuccessiveHalvingPruner()
    return pruners.NopPruner()
