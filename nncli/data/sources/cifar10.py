"""CIFAR-10 (Krizhevsky 2009): 50,000 and 10,000 photographs of 32x32 in ten classes."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor

from nncli.data.base import Data, Parts
from nncli.data.files.archive import extract
from nncli.data.files.download import cache_dir, download, verify
from nncli.data.files.lock import alone
from nncli.data.files.paths import located, regular
from nncli.data.images.pictures import Wish, gather
from nncli.data.split import Holdout
from nncli.errors import DataError

PIXELS = 3 * 32 * 32  # bytes of red, then green, then blue
Part = tuple[Tensor, Tensor]


class Published(NamedTuple):
    """Where a data set is published, and the form of its rows and names."""

    url: str
    md5: str
    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    names: str  # the file of the classes, one per line
    labels: int  # bytes before the pixels; the last of them is the class

    @property
    def archive(self) -> str:
        return self.url.rpartition("/")[2]


class Cifar10(Data):
    """The published archive, downloaded once, or a folder that contains it, unpacked or as image files.

    `split.val` samples of the training part are held out. The test part is the published one.
    """

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "image"
    published: ClassVar = Published(
        url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        md5="c32a1d4ab5d03f1284b67883e8d87530",
        folder="cifar-10-batches-bin",
        train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        test=("test_batch.bin",),
        names="batches.meta.txt",
        labels=1,
    )

    def __init__(
        self,
        root: str | None,
        split: Holdout,
        batch_size: Annotated[int, Ge(1)],
        input_shape: list[int],
        num_classes: Annotated[int, Ge(2)],
    ) -> None:
        super().__init__(batch_size, input_shape, num_classes)
        self.shape = list(input_shape)
        self.kept = cache_dir(type(self).__name__.lower())  # the user's own folder is only read
        self.root = self.kept if root is None else located("root", root)
        self.fetch = root is None
        self.split = split

    def prepare_data(self) -> None:
        """Download and unpack what is missing."""
        if self._unpacked() is not None:
            return
        this = self.published
        archive = self.root / this.archive
        if self.fetch:
            advice = f"if you have the data, set data.root=FOLDER: one with {self._forms()}"
            download(this.url, archive, this.md5, advice=advice)
        if archive.is_file():
            with alone(self.kept / this.folder, f"unpacking {archive.name}"):
                if self._unpacked() is not None:
                    return
                if not self.fetch:
                    verify(archive, this.md5)
                files = [*this.train, *this.test, this.names]
                extract(archive, [f"{this.folder}/{name}" for name in files], self.kept / this.folder)

    def load(self) -> Parts:
        train, test = self._read()
        return self.split.parts(train, test)

    def _forms(self) -> str:
        return (
            f"{self.published.archive}, the folder {self.published.folder}, class folders train/<class>/ and "
            "test/<class>/ with images, or two zips of class folders whose names end in train.zip and test.zip"
        )

    def _unpacked(self) -> Path | None:
        folders = [self.root / self.published.folder, self.root]
        if (self.root / self.published.archive).is_file():
            folders.append(self.kept / self.published.folder)
        return next((folder for folder in folders if (folder / self.published.test[0]).exists()), None)

    def _read(self) -> tuple[Part, Part]:
        if folder := self._unpacked():
            names = folder / self.published.names
            if names.is_file():
                self.facts.setdefault("classes", names.read_text().split())
            return self._rows(folder, self.published.train), self._rows(folder, self.published.test)
        for train, test in (
            (self.root / "train", self.root / "test"),
            (_zip(self.root, "train"), _zip(self.root, "test")),
        ):
            if train and test and train.exists() and test.exists():
                return self._pictures(train, test)
        raise DataError(f"data.root is {self.root}, which has none of: {self._forms()}")

    def _pictures(self, train: Path, test: Path) -> tuple[Part, Part]:
        """Two sources of pictures with the same classes, numbered by their sorted names."""
        wish = Wish((self.shape[1], self.shape[2]), self.shape[0], exact=True)
        pair = gather(train, wish), gather(test, wish)
        if odd := set(pair[0].classes) ^ set(pair[1].classes):
            there, missing = ("train", "test") if (name := min(odd)) in pair[0].classes else ("test", "train")
            raise DataError(
                f"data.root: class '{name}' is in the {there} part and not in the {missing} part ({train}, {test})"
            )
        self.facts.setdefault("classes", pair[0].classes)
        return pair[0].whole(), pair[1].whole()

    def _rows(self, folder: Path, names: tuple[str, ...]) -> Part:
        row = self.published.labels + PIXELS
        rows = []
        for name in names:
            try:
                data = np.fromfile(regular(folder / name), dtype=np.uint8)
            except OSError as problem:
                raise DataError(f"{folder / name} cannot be read: {problem.strerror}") from problem
            if len(data) == 0 or len(data) % row:
                raise DataError(f"{folder / name} has {len(data):,} bytes, no multiple of {row:,}; it is cut off")
            rows.append(data.reshape(-1, row))
        whole = np.concatenate(rows)
        labels = whole[:, self.published.labels - 1].astype(np.int64)
        return torch.from_numpy(whole[:, -PIXELS:].reshape(-1, 3, 32, 32)), torch.from_numpy(labels)


def _zip(root: Path, part: str) -> Path | None:
    return next(iter(sorted(root.glob(f"*{part}.zip"))), None)
