"""Train the trials of a sweep: claim them one by one, hand them to workers, prune those that fall behind."""

import csv
import hashlib
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from nncli.config.compose import Config, compose, freeze
from nncli.config.hosting import hosts
from nncli.config.places import outward
from nncli.errors import NnError, Stopped
from nncli.run.assemble import keeping
from nncli.run.files import write_atomic
from nncli.run.folder import RunFolder
from nncli.run.processes.jobs import devices, workers
from nncli.run.processes.pool import Pool
from nncli.run.processes.signals import Signals
from nncli.run.removal import remove
from nncli.run.resolve import infer
from nncli.run.screen import Screen
from nncli.run.summary import contents
from nncli.sweep.screen import SweepScreen
from nncli.sweep.search import pruner, sampler
from nncli.sweep.settings import Settings
from nncli.sweep.space import Picked, Space
from nncli.sweep.study import ENDED, Claimed, Direction, Study, picked
from nncli.sweep.trial import Trial, best_of, seen

FACTS = "sweep.yaml"  # what a sweep searches, and how
LOOK = 0.05  # seconds between two looks at the trials
ADOPT = 10.0  # seconds between two looks for programs that have died


@dataclass
class Following:
    """A run in training: how much of its metrics has been reported."""

    claimed: Claimed
    run: RunFolder
    epochs: int = 0  # of the whole training, once its config is there
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
    minutes: float | None = None  # that a run of the recipe takes, as its claim says

    @cached_property
    def study(self) -> Study:
        """The record of its trials, which is made with the first look at it."""
        if not self.settings.storage:
            self.folder.mkdir(parents=True, exist_ok=True)
        return Study(
            self.folder.name,
            self.settings.storage or str(self.folder / "study.log"),
            self._directions,
            partial(sampler, self.settings),
            pruner(self.settings, self.config),
        )

    @property
    def _directions(self) -> list[Direction]:
        return ["maximize" if one == "max" else "minimize" for one in self.directions]

    def run(self, screen: SweepScreen) -> None:
        """Train until every trial has ended, or a limit is reached; raises Stopped with the rest still queued."""
        with Signals().caught() as signals, keeping():
            signals.at_once = False
            grid = list(islice(self.space.grid(), self.total)) if self.settings.method == "grid" else []
            sign = f"{self.facts['searched']}{self.facts['settings']}{self.facts['config']}"
            self.study.open(
                self.total,
                lambda slot: grid[slot] if grid else recorded(self.run_of(slot)),
                hashlib.sha256(sign.encode()).hexdigest(),
            )
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self.folder / FACTS, yaml.safe_dump(self.facts, sort_keys=False).encode())
            pool = Pool(self.workers, self.folder / "workers.log", devices(self.config))
            try:
                self._train(pool, signals, screen)
            except BaseException:
                pool.stop()
                self.study.release()
                raise
            pool.close()

    @property
    def workers(self) -> int:
        """How many trials are trained side by side."""
        count = workers(self.config) if self.settings.workers == "auto" else self.settings.workers
        return min(count, self.total)

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
                if (claimed := self.study.claim(self.space, lambda slot: not busy(self.run_of(slot)))) is None:
                    break
                following = self._following(claimed)
                if following.run.status() in ("finished", "pruned"):  # before its end could be recorded
                    self._ended(following, {}, screen)
                else:
                    worker.train(following, self._order(following))
            if not pool.busy() and (not open_ or all(one.state in ENDED for one in self.study.slots().values())):
                return
            for job, answer in pool.answers(LOOK):
                self._ended(job, answer, screen)
                self._progress(screen)
            for worker in pool.busy():
                self._follow(worker.job)

    def run_of(self, slot: int) -> RunFolder:
        """The run of a trial."""
        return RunFolder(self.folder / f"{slot:04}")

    def _following(self, claimed: Claimed) -> Following:
        run = self.run_of(claimed.slot)
        if (before := recorded(run)) and before != claimed.picked:
            raise NnError(
                f"{run.name} was trained with other values than those recorded for this trial. To train it anew, "
                f"delete or move it: nn runs rm {run.name}"
            )
        return Following(claimed, run)

    def _order(self, one: Following) -> dict[str, Any]:
        """What a worker is told about a trial, whose config is frozen here."""
        run, slot, picked = one.run, one.claimed.slot, one.claimed.picked
        if run.path.exists() and not run.config.is_file():
            remove(run)  # it ended before it began
        file = self.folder / "configs" / f"{slot:04}.yaml"
        file.parent.mkdir(exist_ok=True)
        words = self.words(picked)
        config = settled(compose(words, trust=self.trust))
        write_atomic(file, freeze(config).encode())
        one.epochs = config.tree.trainer.max_epochs
        trial = {"sweep": self.folder.name, "number": slot, "words": words, "picked": picked}
        order = {"config": str(file), "run": str(run.path), "trial": trial}
        return {**order, "trust": list(self.trust), "typed": outward(config)}

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
            epochs = int(float(row["epoch"])) + 1
            behind = self.study.report(one.claimed, epochs, float(row[self.metrics[0]]))
            if behind and epochs < one.epochs and not one.asked:
                one.asked = True
                one.run.pruned.touch()

    def _ended(self, one: Following, answer: dict[str, Any] | None, screen: SweepScreen) -> None:
        """Record how a trial ended."""
        claimed, values, state = one.claimed, list[float](), "failed"
        if answer is None or not answer.keys().isdisjoint(("stopped", "lost")):  # somebody stopped it alone
            if self.study.lose(claimed, self.settings.retries):
                screen.ended(claimed.slot, "repeated", [], claimed.picked, "its process died; it is tried again")
                return
            why = (answer or {}).get("lost", "its process died")
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
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study, found = optuna.create_study(directions=self._directions), list[list[str]]()
        for slot in range(min(count, self.total)):
            study.sampler = sampler(self.settings, slot)
            found.append(self.words(picked(study.ask(), self.space)))
        return found

    def trials(self) -> list[Trial]:
        """All trials, by number."""
        return seen(self.study.slots())

    def best(self, trials: list[Trial] | None = None) -> Trial | None:
        """The best complete trial."""
        return best_of(trials or self.trials(), self.directions[0])


def settled(config: Config) -> Config:
    """The config with what its data chooses where no recipe does: the task, the loss and more."""
    if hosts(config) or any(word.startswith("recipe=") for word in config.words):
        return config
    return infer(config, Screen("quiet"))[0]


def recorded(run: RunFolder) -> dict[str, Any]:
    """The values that a run was trained with, where the record of its trial is lost."""
    return run.read(run.environment).get("trial", {}).get("picked", {})


def busy(run: RunFolder) -> bool:
    """Whether somebody trains this run at the moment, such as a worker that is not told yet that its program died."""
    return run.path.exists() and run.is_busy()
