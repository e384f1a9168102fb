"""The forecast that is being predicted, kept for its plot."""

from collections.abc import Sequence

import numpy as np

from nncli.errors import NnError
from nncli.predict.answers import Outputs, targets
from nncli.predict.run import Engine


class Recorded:
    """An engine that keeps the last window it was given, and its forecast."""

    def __init__(self, engine: Engine, given: Sequence[str]) -> None:
        names = [output["name"] for output in engine.card["outputs"]]
        if names != ["forecast"]:
            raise NnError(f"--plot draws forecasts of a time series; {engine.name} returns: {', '.join(names)}")
        if len(given) != 1:
            raise NnError(f"--plot draws the forecast of one file; got {len(given)}")
        self.engine, self.name, self.card = engine, engine.name, engine.card
        self.past_LF = self.ahead_HC = np.empty((0, 0))

    def __call__(self, x: np.ndarray) -> Outputs:
        found = self.engine(x)
        self.past_LF, self.ahead_HC = x[-1], found["forecast"][-1]
        return found

    @property
    def columns(self) -> list[str]:
        """The names of the columns that are forecast."""
        return targets(self.card, self.ahead_HC.shape[1])
