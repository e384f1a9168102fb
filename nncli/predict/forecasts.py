"""The plot of a forecast that is being predicted."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.predict.answers import Outputs, targets
from nncli.predict.run import Engine

if TYPE_CHECKING:
    from nncli.insight.drawing import Drawing


class Recorded:
    """An engine that keeps the last window it was given, and its forecast."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.name, self.card = engine, engine.name, engine.card
        self.past_LF = self.ahead_HC = np.empty((0, 0))

    def __call__(self, x: np.ndarray) -> Outputs:
        found: Mapping[str, Any] = self.engine(x)
        self.past_LF, self.ahead_HC = x[-1], found["forecast"][-1]
        return found

    def plot(self, title: str) -> "Drawing":
        """The forecast beside the naive ones."""
        from nncli.insight.forecast_plot import forecast_plot

        count = self.ahead_HC.shape[1]
        names, period = targets(self.card, count), self.card["samples"].get("period")
        return forecast_plot(self.past_LF[:, :count], self.ahead_HC, names, title, period)
