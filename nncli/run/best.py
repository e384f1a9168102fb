"""The best evaluation of a run so far, and how long ago it was."""

import math
from typing import Any, Literal


class Best:
    """The best value of the monitored metric, its step, and all metrics of that evaluation."""

    def __init__(self, metric: str, mode: Literal["min", "max"], patience: int | None) -> None:
        self.metric, self.sign, self.patience = metric, 1 if mode == "max" else -1, patience
        self.value: float | None = None
        self.step: int | None = None
        self.results: dict[str, float] = {}
        self.worse = 0  # evaluations since the last improvement

    def take(self, judged: dict[str, float], step: int) -> bool:
        """Whether this is the best. An equal value counts, since later weights tend to generalize better, but not as an
        improvement for early stopping. NaN never is the best: every comparison with it is false.
        """
        value = judged[self.metric]
        if math.isnan(value) or (self.value is not None and self.sign * value < self.sign * self.value):
            self.worse += 1
            return False
        self.worse = self.worse + 1 if value == self.value else 0
        self.value, self.step, self.results = value, step, judged
        return True

    @property
    def given_up(self) -> bool:
        """Whether early stopping has waited long enough."""
        return self.patience is not None and self.worse >= self.patience

    def state(self) -> dict[str, Any]:
        return {"value": self.value, "step": self.step, "results": self.results, "worse": self.worse}

    def load(self, saved: dict[str, Any]) -> None:
        self.value, self.step, self.worse = saved["value"], saved["step"], saved["worse"]
        self.results = dict(saved["results"])
