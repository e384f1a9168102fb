"""Synthetic series."""

from typing import Annotated, Unpack

import numpy as np
from annotated_types import Ge

from nncli.data.series.measures import Measures
from nncli.data.series.series import Series, Windowed
from nncli.data.split import Ordered
from nncli.errors import DataError
from nncli.seed import Seed


class Sine(Series):
    """A sine with noise: `size` steps, `period` steps per wave. The error of a perfect forecast is the noise."""

    def __init__(
        self,
        size: Annotated[int, Ge(10)],
        noise: Annotated[float, Ge(0)],
        seed: Seed,
        split: Ordered,
        **shared: Unpack[Windowed],
    ) -> None:
        super().__init__(
            path=None,
            target=["sine"],
            exogenous=[],
            time=None,
            borders=None,
            gaps=0,
            split=split,
            **shared,
        )
        self.size, self.noise, self.seed = size, noise, seed

    def measures(self) -> Measures:
        if self.period is None:
            raise DataError("data.period is null, and a sine has one; set data.period=25")
        wave = np.sin(2 * np.pi * np.arange(self.size) / self.period)
        noisy = wave + np.random.default_rng(self.seed).normal(0, self.noise, self.size)
        return Measures(noisy[:, None].astype(np.float32), ["sine"], source="the sine")
