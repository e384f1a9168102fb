"""The small real data sets that scikit-learn brings along: nothing to download."""

from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Interval
from torch.nn import functional

from nncli.data.base import Classes, Data, Parts, Shape
from nncli.data.split import split_parts
from nncli.errors import DataError


class Scikit(Data):
    """One of scikit-learn's bundled sets. `digits` are 8x8 pictures with values 0 to 16, the others are tables.

    With a `side` the digits are enlarged to it (bilinear), with values 0 to 255.
    """

    def __init__(
        self,
        name: Literal["digits", "iris", "wine", "breast_cancer", "diabetes"],
        batch_size: Annotated[int, Ge(1)],
        val_fraction: Annotated[float, Interval(gt=0, lt=1)],
        test_fraction: Annotated[float, Interval(gt=0, lt=1)],
        split_seed: Annotated[int, Ge(0)],
        input_shape: Shape,
        num_classes: Classes,
        side: Annotated[int, Ge(8)] | None = None,
    ) -> None:
        super().__init__(batch_size, split_seed, input_shape, num_classes)
        if side is not None and name != "digits":
            raise DataError(f"data.side={side} enlarges pictures, and {name} has none: set it to null")
        self.name, self.side = name, side
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction

    def load(self) -> Parts:
        from sklearn import datasets

        x, y = getattr(datasets, f"load_{self.name}")(return_X_y=True)
        digits = self.name == "digits"
        inputs = torch.from_numpy(x.astype(np.uint8).reshape(-1, 1, 8, 8) if digits else x.astype(np.float32))
        if self.side is not None:
            large = functional.interpolate(inputs.float() * (255 / 16), (self.side, self.side), mode="bilinear")
            inputs = large.round().to(torch.uint8)
        targets = torch.from_numpy(y.astype(np.float32 if self.name == "diabetes" else np.int64))
        return split_parts(inputs, targets, self.val_fraction, self.test_fraction, self.split_seed)
