"""The trials of a sweep as people see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from nncli.sweep.space import Picked

STATES = {"WAITING": "waiting", "RUNNING": "running", "COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class Trial:
    """A trial as people see it."""

    slot: int
    state: str  # waiting, running, complete, pruned or failed
    picked: Picked
    values: list[float] | None
    why: str = ""


def seen(slots: Mapping[int, FrozenTrial]) -> list[Trial]:
    """The trials as people see them."""
    return [
        Trial(slot, STATES[one.state.name], one.params, one.values, one.user_attrs.get("why", ""))
        for slot, one in slots.items()
    ]


def best_of(trials: Sequence[Trial], direction: str) -> Trial | None:
    """The best complete trial by its first metric."""
    done = [one for one in trials if one.state == "complete" and one.values]
    sign = 1 if direction == "max" else -1
    return max(done, key=lambda one: sign * (one.values or [0.0])[0], default=None)
