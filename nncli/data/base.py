"""What every source of data shares: loading once, holding the data to what the YAML states, cutting batches."""

from typing import Annotated

import torch
from annotated_types import Ge
from lightning import LightningDataModule
from torch import Tensor

from nncli.data.batches import Batches
from nncli.errors import DataError

Parts = dict[str, tuple[Tensor, Tensor]]


class Data(LightningDataModule):
    """Train, val and test as tensors in memory. A source says in `load` where they come from.

    Images are uint8 (N, C, H, W), tables float32 (N, F); labels int64 (N,), measured targets float32 (N,).
    """

    def __init__(
        self,
        batch_size: Annotated[int, Ge(1)],
        split_seed: Annotated[int, Ge(0)],
        input_shape: list[int],
        num_classes: Annotated[int, Ge(2)] | None,
    ) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.split_seed = split_seed
        self.input_shape = list(input_shape)
        self.num_classes = num_classes
        self.parts: Parts = {}
        self.place(seed=0, rank=0, world=1, accumulate=1, limit=None, overfit=0)

    def load(self) -> Parts:
        """The parts "train", "val" and "test", each as inputs and targets."""
        raise NotImplementedError

    def setup(self, stage: str | None = None) -> None:
        """Load and check, once; a fact of the YAML that the data does not bear out is a DataError."""
        if self.parts:
            return
        parts = self.load()
        check_parts(parts, self.input_shape, self.num_classes)
        if (size := len(parts["train"][0])) < self.batch_size:
            raise DataError(
                f"data.batch_size is {self.batch_size}, more than the {size} samples of the training part; "
                f"take data.batch_size={size} or less"
            )
        self.parts = parts

    def place(self, *, seed: int, rank: int, world: int, accumulate: int, limit: int | None, overfit: int) -> None:
        """Say in what order, and which share of each batch this process takes.

        `overfit` > 0 trains and judges on the same few batches.
        """
        self._share = {"seed": seed, "rank": rank, "world": world, "accumulate": accumulate, "limit": limit}
        self._overfit = overfit
        self._loaders: dict[str, Batches] = {}

    def train_dataloader(self) -> Batches:
        return self._batches("train")

    def val_dataloader(self) -> Batches:
        return self._batches("val")

    def test_dataloader(self) -> Batches:
        return self._batches("test")

    def evaluation(self, part: str) -> Batches:
        """Any part in its natural order, nothing dropped: for judging."""
        self.setup()
        x, y = self.parts[part]
        return Batches(x, y, self.batch_size, shuffle=False, **self._share)

    def _batches(self, part: str) -> Batches:
        if part not in self._loaders:
            self.setup()
            few = self._overfit > 0 and part != "test"
            x, y = self.parts["train" if few else part]
            if few:
                kept = min(self._overfit, len(x) // self.batch_size) * self.batch_size
                x, y = x[:kept], y[:kept]
            shuffle = part == "train" and not few
            self._loaders[part] = Batches(x, y, self.batch_size, shuffle=shuffle, **self._share)
        return self._loaders[part]


def check_parts(parts: Parts, input_shape: list[int], num_classes: int | None) -> None:
    """Hold the data to the stated shape and number of classes."""
    for name, (x, y) in parts.items():
        if len(x) == 0:
            raise DataError(f"data: the {name} part has no samples; see data.val_fraction, data.test_fraction")
        if list(x.shape[1:]) != input_shape:
            raise DataError(
                f"data.input_shape is {input_shape}, the {name} part has {list(x.shape[1:])}; "
                f"set data.input_shape={list(x.shape[1:])}".replace(", ", ",")
            )
        for what, values in (("input", x), ("target", y)):
            _check_finite(values, f"the {name} part's {what}")
    if num_classes is not None:
        _check_labels(torch.cat([y for _, y in parts.values()]), num_classes)


def _check_finite(values: Tensor, what: str) -> None:
    if values.is_floating_point() and not (fine := values.isfinite()).all():
        row = int((~fine.reshape(len(values), -1).all(dim=1)).nonzero()[0])
        raise DataError(f"data: {what} has a value that is no finite number, first in row {row}")


def _check_labels(y: Tensor, num_classes: int) -> None:
    if y.is_floating_point():
        raise DataError(f"data.num_classes is {num_classes}, but the targets are measured numbers; set it to null")
    low, high = int(y.min()), int(y.max())
    if low < 0 or high != num_classes - 1:
        raise DataError(
            f"data.num_classes is {num_classes}, so labels are 0 to {num_classes - 1}; found {low} to {high}"
        )
