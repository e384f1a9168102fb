"""Arithmetic sequences as numbers. N sequences, L numbers to see, H numbers to forecast."""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge

from nncli.data.base import Data, Parts, Shape
from nncli.data.rows import Windows
from nncli.data.split import Shares
from nncli.errors import DataError


class CountingSeries(Data):
    """All sequences such as 10 11 12 -> 13 or 3 7 11 -> 15 of numbers up to `highest`, each once, in no order."""

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "series"

    def __init__(
        self,
        split: Shares,
        batch_size: Annotated[int, Ge(1)],
        highest: Annotated[int, Ge(10)],
        length: Annotated[int, Ge(2)],
        horizon: Annotated[int, Ge(1)],
        input_shape: Shape,
        num_targets: Annotated[int, Ge(1)],
        num_classes: Literal["auto"] | None,
        period: None = None,
    ) -> None:
        super().__init__(batch_size, input_shape, num_classes)
        self.split, self.highest, self.length, self.horizon = split, highest, length, horizon
        self.num_targets = num_targets

    def load(self) -> Parts:
        steps = np.arange(self.length + self.horizon)
        first, step = np.meshgrid(np.arange(self.highest + 1), np.arange(1, self.highest + 1), indexing="ij")
        fits = first + step * steps[-1] <= self.highest
        if fits.sum() < 10:
            raise DataError(
                f"data.highest is {self.highest}, which leaves too few sequences of {len(steps)} numbers; take more"
            )
        every = torch.from_numpy(first[fits][:, None] + step[fits][:, None] * steps).float()
        self.facts["columns"] = ["number"]
        parts = self.split.parts(every, torch.zeros(len(every)))
        return {name: self._windows(some) for name, (some, _) in parts.items()}

    def traits(self) -> dict[str, Any]:
        return {"samples": "windows", "targets": "future"}

    def samples(self) -> dict[str, Any]:
        return {"kind": "series", "length": self.length}

    def _windows(self, sequences: torch.Tensor) -> Windows:
        """One sequence after another, each a window."""
        starts = torch.arange(len(sequences)) * sequences.shape[1]
        return Windows(
            sequences.reshape(-1, 1), starts, self.length, offset=self.length, ahead=self.horizon, columns=None
        )
