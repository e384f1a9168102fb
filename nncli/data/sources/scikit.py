"""The small real data sets that are part of scikit-learn, without a download."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Unpack

import numpy as np
import torch
from annotated_types import Ge

from nncli.data.base import Data, Parts, Stated
from nncli.data.images.digits import drawn
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
        if self.name == "digits":
            x, y = _digits()
        else:
            from sklearn import datasets

            found = getattr(datasets, f"load_{self.name}")()
            x, y = found.data, found.target
            self.facts.setdefault("columns", [str(name) for name in found.feature_names])
        inputs = torch.from_numpy(drawn(x, self.side) if self.name == "digits" else x.astype(np.float32))
        targets = torch.from_numpy(y.astype(np.float32 if self.name == "diabetes" else np.int64))
        return self.split.parts(inputs, targets)

    def samples(self) -> dict[str, Any]:
        """A row in order or by name, or a digit in scikit-learn's form or as any picture."""
        if self.name != "digits":
            return super().samples()
        return super().samples() | {"kind": "digits", "dtype": "uint8", "side": self.side}


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """The pictures and their digits, from scikit-learn's file: importing all of scikit-learn takes a second."""
    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    rows = np.loadtxt(Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    return rows[:, :-1], rows[:, -1].astype(np.int64)
