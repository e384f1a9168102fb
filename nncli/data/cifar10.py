"""CIFAR-10 (Krizhevsky 2009): 50,000 and 10,000 photographs of 32x32 in ten classes."""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor

from nncli.data.archive import extract
from nncli.data.base import Data, Parts
from nncli.data.download import cache_dir, download, verify
from nncli.data.images import read_pair
from nncli.data.split import split
from nncli.errors import DataError

ARCHIVE = "cifar-10-binary.tar.gz"
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
FOLDER = "cifar-10-batches-bin"
TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]
TEST = ["test_batch.bin"]
ROW = 1 + 3 * 32 * 32  # a byte for the label, then red, green and blue
FORMS = (
    f"{ARCHIVE}, the folder {FOLDER}, class folders train/<class>/ and test/<class>/ with images, "
    "or two zips of class folders whose names end in train.zip and test.zip"
)


class Cifar10(Data):
    """The published archive, fetched once; or a folder that holds it, unpacked or as image files.

    `val_size` samples of the training part are held out. The test part is the published one.
    """

    def __init__(
        self,
        root: str | None,
        batch_size: Annotated[int, Ge(1)],
        val_size: Annotated[int, Ge(1)],
        split_seed: Annotated[int, Ge(0)],
        input_shape: list[int],
        num_classes: Annotated[int, Ge(2)],
    ) -> None:
        super().__init__(batch_size, split_seed, input_shape, num_classes)
        self.shape = list(input_shape)
        self.root = cache_dir("cifar10") if root is None else Path(root).expanduser()
        self.fetch = root is None
        self.val_size = val_size

    def prepare_data(self) -> None:
        """Fetch and unpack what is not there."""
        archive = self.root / ARCHIVE
        if _binary(self.root) is not None:
            return
        if self.fetch:
            try:
                download(URL, archive, MD5)
            except DataError as problem:
                raise DataError(
                    f"{problem}\nwith the data at hand, say data.root=FOLDER: one with {FORMS}"
                ) from problem
        if archive.exists():
            if not self.fetch:
                verify(archive, MD5)
            extract(archive, [f"{FOLDER}/{name}" for name in TRAIN + TEST], self.root / FOLDER)

    def load(self) -> Parts:
        (x, y), test = self._read()
        if self.val_size >= len(x):
            raise DataError(f"data.val_size is {self.val_size}, the training part has {len(x)} samples; take fewer")
        val, train = split(y, [self.val_size], self.split_seed)
        return {"train": (x[train], y[train]), "val": (x[val], y[val]), "test": test}

    def _read(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        if folder := _binary(self.root):
            return _read_binary(folder, TRAIN), _read_binary(folder, TEST)
        for train, test in (
            (self.root / "train", self.root / "test"),
            (_zip(self.root, "train"), _zip(self.root, "test")),
        ):
            if train and test and train.exists() and test.exists():
                return read_pair(train, test, self.shape)
        raise DataError(f"data.root is {self.root}, which has none of: {FORMS}")


def _binary(root: Path) -> Path | None:
    return next((path for path in (root / FOLDER, root) if (path / TEST[0]).exists()), None)


def _zip(root: Path, part: str) -> Path | None:
    return next(iter(sorted(root.glob(f"*{part}.zip"))), None)


def _read_binary(folder: Path, names: list[str]) -> tuple[Tensor, Tensor]:
    rows = []
    for name in names:
        try:
            data = np.fromfile(folder / name, dtype=np.uint8)
        except OSError as problem:
            raise DataError(f"{folder / name} cannot be read: {problem.strerror}") from problem
        if len(data) == 0 or len(data) % ROW:
            raise DataError(f"{folder / name} has {len(data):,} bytes, no multiple of {ROW:,}; it is cut off")
        rows.append(data.reshape(-1, ROW))
    whole = np.concatenate(rows)
    return torch.from_numpy(whole[:, 1:].reshape(-1, 3, 32, 32)), torch.from_numpy(whole[:, 0].astype(np.int64))
