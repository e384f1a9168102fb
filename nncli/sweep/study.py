"""The trials of a sweep in Optuna's storage, which several programs may share: each slot is trained once.

A slot is a trial as a person counts them, from 0. It is claimed by one program; if that program dies, or its worker
does, the slot is queued again with the same values, as another trial of Optuna's.
"""

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from nncli.errors import NnError
from nncli.run.files import is_alive
from nncli.sweep.space import Between, Choice, Dimension, Picked, Space
from nncli.sweep.storage import alone, patiently, storage

BEAT = 10.0  # seconds after which a program says that it is alive
SILENT = 60.0  # seconds of silence after which it counts as dead
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
Direction = Literal["minimize", "maximize"]


@dataclass
class Claimed:
    """A slot that this program trains."""

    slot: int
    trial: optuna.Trial
    picked: Picked


class Study:
    """The shared record of a sweep."""

    def __init__(
        self, name: str, url: str, directions: Sequence[Direction], sampler: Callable[[int], Any], pruner: Any
    ) -> None:
        """`sampler` makes one for a slot, so that a sweep that continues does not draw the same numbers again."""
        self.sampler = sampler
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        opened = storage(url)
        self.me = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.study = patiently(
            lambda: optuna.create_study(
                storage=opened,
                study_name=name,
                directions=directions,
                load_if_exists=True,
                sampler=sampler(0),
                pruner=pruner,
            )
        )
        self.storage = self.study._storage  # of a database, with a cache
        self.running: dict[int, Claimed] = {}
        self._beaten = 0.0
        self._seen: dict[str, tuple[Any, float]] = {}  # the last sign of life of other programs, and when it was read

    # -- slots

    def open(self, total: int, known: Callable[[int], Mapping[str, Any]] = lambda _: {}, sign: str = "") -> None:
        """Queue the slots that nobody has queued yet, with the values that are known of them.

        `sign` stands for what is searched; raises NnError if the study is that of another search.
        """

        def queue() -> None:
            with alone(self.storage, self.study._study_id):
                if self.study.user_attrs.get("sign", sign) != sign:
                    raise NnError(
                        f"the storage has another sweep of the name {self.study.study_name}; choose another one: "
                        "sweep.name=…"
                    )
                self.study.set_user_attr("sign", sign)
                there = {trial.user_attrs["slot"]: trial for trial in self.trials()}
                for slot in range(total):
                    if slot not in there:
                        self._queue(slot, known(slot), 0)
                    elif _undrawn(there[slot]) and (picked := known(slot)):  # its end was cut off from the record
                        self._queue(slot, picked, 0, there[slot]._trial_id)
                        self._fail(there[slot]._trial_id, "its values were lost; queued again")

        patiently(queue)

    def _queue(self, slot: int, picked: Mapping[str, Any], attempt: int, replaces: int | None = None) -> None:
        facts = {"slot": slot, "attempt": attempt, "replaces": replaces}
        patiently(lambda: self.study.enqueue_trial(dict(picked), user_attrs=facts))

    def claim(self, space: Space, free: Callable[[int], bool] = lambda _: True) -> Claimed | None:
        """A queued slot that is free, with values for its keys; None if there is none."""
        while waiting := [trial for trial in self.trials() if trial.state == TrialState.WAITING]:
            waiting = [trial for trial in waiting if free(trial.user_attrs["slot"])]
            if not waiting:
                return None
            for one in sorted(waiting, key=lambda trial: trial.user_attrs["slot"]):
                if not self._take(one):
                    continue
                self.study.sampler = self.sampler(one.user_attrs["slot"])
                trial = optuna.Trial(self.study, one._trial_id)
                found = Claimed(one.user_attrs["slot"], trial, {})
                self.running[one._trial_id] = found
                found.picked = patiently(lambda trial=trial: picked(trial, space))
                return found
        return None

    def _take(self, trial: FrozenTrial) -> bool:
        """Whether this program got the trial, and no other has its slot."""
        slot, number = trial.user_attrs["slot"], trial._trial_id
        try:
            if not patiently(lambda: self.storage.set_trial_state_values(number, TrialState.RUNNING)):
                return False
        except optuna.exceptions.UpdateFinishedTrialError:
            return False
        patiently(lambda: self.storage.set_trial_user_attr(number, "program", self.me))
        same = [one for one in self.trials() if one.user_attrs["slot"] == slot and one.number < trial.number]
        given_up = trial.user_attrs.get("replaces")  # and perhaps not recorded as such yet
        if any(one.state != TrialState.FAIL and (one.state in ENDED or one._trial_id != given_up) for one in same):
            self._fail(number, "the slot was queued twice")
            return False
        return True

    # -- what becomes of a trial

    def report(self, claimed: Claimed, step: int, value: float) -> bool:
        """Record an evaluation; whether the trial is to be pruned."""
        patiently(lambda: claimed.trial.report(value, step))
        return bool(patiently(claimed.trial.should_prune))

    def end(self, claimed: Claimed, values: list[float], *, pruned: bool = False) -> None:
        """Record the result of a trial."""
        state = TrialState.PRUNED if pruned else TrialState.COMPLETE
        self.running.pop(claimed.trial._trial_id, None)
        patiently(lambda: self.study.tell(claimed.trial, None if pruned else values, state, skip_if_finished=True))

    def fail(self, claimed: Claimed, why: str) -> None:
        """Record that a trial cannot be trained."""
        self.running.pop(claimed.trial._trial_id, None)
        self._fail(claimed.trial._trial_id, why, replaced=False)

    def lose(self, claimed: Claimed, retries: int) -> bool:
        """Queue the slot of a dead worker again; False if this was its last attempt."""
        trial = next(one for one in self.trials() if one._trial_id == claimed.trial._trial_id)
        self.running.pop(trial._trial_id, None)
        return self._again(trial, retries, "its worker died")

    def adopt(self) -> int:
        """Queue the slots of programs that have died again; how many there were. It does not count as an attempt."""
        alive = self._alive()
        lost = [trial for trial in self.trials() if trial.state == TrialState.RUNNING and not self._held(trial, alive)]
        return sum(self._again(trial, None, "its program died") for trial in lost)

    def _held(self, trial: FrozenTrial, alive: set[str]) -> bool:
        program = trial.user_attrs.get("program")
        if program == self.me:
            return trial._trial_id in self.running
        if program is None:  # claimed a moment ago
            return not self._silent(f"trial {trial._trial_id}", None)
        return program in alive

    def release(self) -> None:
        """Queue what this program has not finished again, for whoever continues."""
        for claimed in list(self.running.values()):
            trial = next(one for one in self.trials() if one._trial_id == claimed.trial._trial_id)
            self.running.pop(trial._trial_id, None)
            self._again(trial, None, "the sweep was stopped")

    def _again(self, trial: FrozenTrial, retries: int | None, why: str) -> bool:
        """Queue a slot again, with the same values, before its trial is given up: a kill in between loses nothing."""
        attempt = trial.user_attrs["attempt"] + (retries is not None)
        again = retries is None or attempt <= retries
        if again and all(other.user_attrs.get("replaces") != trial._trial_id for other in self.trials()):
            self._queue(trial.user_attrs["slot"], trial.params, attempt, trial._trial_id)
        self._fail(trial._trial_id, f"{why}; queued again" if again else why, replaced=again)
        return again

    def _fail(self, number: int, why: str, *, replaced: bool = True) -> None:
        def recorded() -> None:
            self.storage.set_trial_user_attr(number, "why", why)
            self.storage.set_trial_user_attr(number, "replaced", replaced)
            self.storage.set_trial_state_values(number, TrialState.FAIL)

        with suppress(optuna.exceptions.UpdateFinishedTrialError):
            patiently(recorded)

    # -- who is alive

    def beat(self) -> None:
        """Say that this program is alive, now and then."""
        if time.monotonic() - self._beaten < BEAT:
            return
        self._beaten = time.monotonic()
        patiently(lambda: self.study.set_user_attr(f"alive {self.me}", time.time()))

    def _alive(self) -> set[str]:
        beats = patiently(lambda: self.study.user_attrs)
        found = set[str]()
        for key, when in beats.items():
            if not key.startswith("alive "):
                continue
            program = key.removeprefix("alive ")
            host, pid, _ = program.split(":")
            if (host != socket.gethostname() or is_alive(int(pid))) and not self._silent(program, when):
                found.add(program)
        return found

    def _silent(self, who: str, sign: Any) -> bool:
        """Whether a sign of life has not changed for long; by the clock of this program, since others may be wrong."""
        if who not in self._seen or self._seen[who][0] != sign:
            self._seen[who] = sign, time.monotonic()
        return time.monotonic() - self._seen[who][1] > SILENT

    # -- looking

    def trials(self) -> list[FrozenTrial]:
        """All trials of Optuna's that belong to a slot."""
        every = patiently(lambda: self.storage.get_all_trials(self.study._study_id, deepcopy=False))
        return [trial for trial in every if "slot" in trial.user_attrs]

    def slots(self) -> dict[int, FrozenTrial]:
        """The trial that counts for each slot."""
        return counted(self.trials())


def _undrawn(trial: FrozenTrial) -> bool:
    """Whether nobody has drawn values for a trial."""
    return trial.state == TrialState.WAITING and not trial.system_attrs.get("fixed_params")


def counted(trials: Iterable[FrozenTrial]) -> dict[int, FrozenTrial]:
    """Of trials of Optuna's, the one that counts for each slot."""
    found: dict[int, FrozenTrial] = {}
    for trial in trials:
        if not (trial.state == TrialState.FAIL and trial.user_attrs.get("replaced", True)):
            slot = trial.user_attrs["slot"]
            found[slot] = min(found.get(slot, trial), trial, key=lambda one: (one.state not in ENDED, one.number))
    return dict(sorted(found.items()))


def picked(trial: optuna.Trial, space: Space) -> Picked:
    """Values for the groups, and then for the keys that exist with them."""
    chosen = {key: _suggested(trial, key, choice) for key, choice in space.groups.items()}
    return chosen | {key: _suggested(trial, key, space.keys[key]) for key in space.fitting(chosen)}


def _suggested(trial: optuna.Trial, key: str, dimension: Dimension) -> Any:
    match dimension:
        case Choice(values):
            return trial._suggest(key, CategoricalDistribution(values))
        case Between(whole=True):
            step = int(dimension.step or 1)
            return trial._suggest(
                key,
                IntDistribution(int(dimension.low), int(dimension.high), dimension.log, 1 if dimension.log else step),
            )
        case Between():
            step = None if dimension.log else dimension.step
            return trial._suggest(key, FloatDistribution(dimension.low, dimension.high, dimension.log, step))
