"""The small real data sets that are part of scikit-learn, without a download."""

from typing import Annotated, Any, Literal, Unpack

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import functional

from nncli.data.base import Data, Parts, Stated
from nncli.data.encode import whole
from nncli.data.images.encode import encode
from nncli.data.split import Shares
from nncli.errors import DataError


class Scikit(Data):
    """One of scikit-learn's bundled sets. `digits` are 8x8 pictures with values 0 to 16, the others are tables.

    With `side`, the digits are resized to it (bilinear), with values 0 to 255.
    """

    def __init__(
        self,
        name: Literal["digits", "iris", "wine", "breast_cancer", "diabetes"],
        split: Shares,
        side: Annotated[int, Ge(8)] | None = None,
        **stated: Unpack[Stated],
    ) -> None:
        super().__init__(**stated)
        if side is not None and name != "digits":
            raise DataError(f"data.side={side} enlarges pictures, and {name} has none: set it to null")
        self.name, self.side, self.split = name, side, split

    def load(self) -> Parts:
        from sklearn import datasets

        found = getattr(datasets, f"load_{self.name}")()
        x, y = found.data, found.target
        if self.name != "digits":
            self.facts.setdefault("columns", [str(name) for name in found.feature_names])
        inputs = self._drawn(x) if self.name == "digits" else torch.from_numpy(x.astype(np.float32))
        targets = torch.from_numpy(y.astype(np.float32 if self.name == "diabetes" else np.int64))
        return self.split.parts(inputs, targets)

    def encode(self, raw: Any) -> Tensor:
        """A row in order or by name; a digit in scikit-learn's form (64 or 8 x 8 values up to 16), or any picture."""
        if self.name != "digits":
            return super().encode(raw)
        values = np.asarray(raw) if isinstance(raw, list | np.ndarray | Tensor) else np.empty(0)
        if values.dtype.kind in "iuf" and (values.shape[-2:] == (8, 8) or values.shape[-1:] == (64,)):
            drawn = self._drawn(values)
            return drawn[0] if values.shape in ((64,), (8, 8), (1, 8, 8)) else drawn
        picture = encode(raw, self.known())
        return picture if self.side is not None else (picture.float() * (16 / 255)).round().to(torch.uint8)

    def _drawn(self, x: np.ndarray) -> Tensor:
        """Digits (N, 64) or (N, 8, 8) in scikit-learn's form as pictures (N, 1, H, W)."""
        small = torch.from_numpy(whole(x, np.dtype(np.uint8)).reshape(-1, 1, 8, 8))
        if self.side is None:
            return small
        large = functional.interpolate(small.float() * (255 / 16), (self.side, self.side), mode="bilinear")
        return large.round().to(torch.uint8)
