"""Series that are made up."""

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Interval

from nncli.data.base import Shape
from nncli.data.series.measures import Measures
from nncli.data.series.series import Series


class Sine(Series):
    """A sine with noise: `size` steps, `period` steps a wave. What remains of a forecast's error is the noise."""

    def __init__(
        self,
        size: Annotated[int, Ge(10)],
        period: Annotated[float, Gt(0)],
        noise: Annotated[float, Ge(0)],
        length: Annotated[int, Ge(1)],
        horizon: Annotated[int, Ge(1)],
        stride: Annotated[int, Ge(1)],
        batch_size: Annotated[int, Ge(1)],
        val_fraction: Annotated[float, Interval(gt=0, lt=1)],
        test_fraction: Annotated[float, Interval(gt=0, lt=1)],
        split_seed: Annotated[int, Ge(0)],
        input_shape: Shape,
        num_targets: Annotated[int, Ge(1)] | Literal["auto"],
        num_classes: Literal["auto"] | None,
    ) -> None:
        super().__init__(
            path=None,
            target=["sine"],
            exogenous=[],
            time=None,
            length=length,
            horizon=horizon,
            stride=stride,
            borders=None,
            gaps=0,
            batch_size=batch_size,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            fold=None,
            split_seed=split_seed,
            input_shape=input_shape,
            num_targets=num_targets,
            num_classes=num_classes,
        )
        self.size, self.period, self.noise = size, period, noise

    def measures(self) -> Measures:
        wave = np.sin(2 * np.pi * np.arange(self.size) / self.period)
        noisy = wave + np.random.default_rng(self.split_seed).normal(0, self.noise, self.size)
        return Measures(noisy[:, None].astype(np.float32), ["sine"], source="the sine")
