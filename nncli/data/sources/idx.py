"""MNIST (LeCun 1998) and other sets in its format: IDX files, plain or gzipped."""

import gzip
import re
import zlib
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Unpack

import numpy as np
import torch
from torch import Tensor

from nncli.data.base import Data, Parts, Stated
from nncli.data.files.download import cache_dir, download
from nncli.data.files.paths import located, regular
from nncli.data.split import Holdout
from nncli.errors import DataError

PARTS = {"train": "train", "test": "t10k|test"}
LARGEST = 64 << 30  # bytes that a file may unpack to
TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4"}
MORE = 1 << 24  # bytes read at a time


class Published(NamedTuple):
    """A data set with its addresses, the MD5 of each of its four files, and the names of its labels."""

    urls: list[str]
    md5: list[str]
    classes: list[str]


FILES = [f"{part}-{what}-ubyte.gz" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]
SETS = {
    "mnist": Published(
        ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"],
        [
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ],
        [str(digit) for digit in range(10)],
    ),
    "fashion_mnist": Published(
        ["https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"],
        [
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ],
        ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
    ),
    "kmnist": Published(
        ["https://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
        [
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ],
        ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
    ),
}


class Idx(Data):
    """A published data set, downloaded once, or a folder with its files or the user's own in the same format.

    `split.val` samples of the training part are held out. The test part is the published one, if there is no fold.
    """

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "image"

    def __init__(
        self,
        name: Literal["mnist", "fashion_mnist", "kmnist", "own"],
        root: str | None,
        split: Holdout,
        **stated: Unpack[Stated],
    ) -> None:
        super().__init__(**stated)
        self.set = name
        self.split = split
        self.fetch = root is None and name != "own"
        self.root = located("root", root) if root else cache_dir(name)

    def prepare_data(self) -> None:
        """Download what is missing."""
        if not self.fetch:
            return
        urls, md5, _ = SETS[self.set]
        advice = f"if you have the data, set data.root=FOLDER: one with {', '.join(FILES)}"
        for file, digest in zip(FILES, md5, strict=True):
            download([url + file for url in urls], self.root / file, digest, advice=advice)

    def load(self) -> Parts:
        if self.set == "own" and self.root == cache_dir("own"):
            raise DataError("data.root is not set; set data.root=FOLDER, one with IDX files of images and labels")
        train, test = (self._read(part) for part in PARTS)
        if self.set in SETS:
            self.facts.setdefault("classes", SETS[self.set].classes)
        return self.split.parts(train, test)

    def traits(self) -> dict[str, Any]:
        return self.parts["train"].traits()

    def _read(self, part: str) -> tuple[Tensor, Tensor]:
        files = [_find(self.root, part, what) for what in ("images", "labels")]
        x, y = (read_idx(file) for file in files)
        if x.ndim != 3 or x.dtype != np.uint8:
            raise DataError(
                f"{files[0]} holds {x.dtype} of shape {list(x.shape)}, not pictures (N, height, width) of bytes"
            )
        if y.shape != x.shape[:1]:
            raise DataError(
                f"{files[1]} holds labels of shape {list(y.shape)} for the {len(x):,} pictures of {files[0]}"
            )
        return torch.from_numpy(x).unsqueeze(1), torch.from_numpy(y.astype(np.int64))


def read_idx(path: Path) -> np.ndarray:
    """The array of an IDX file, whose header contains its type and shape."""
    try:
        with gzip.open(regular(path)) if path.suffix == ".gz" else regular(path).open("rb") as file:
            zeros, kind, count = int.from_bytes(file.read(2)), *(file.read(2) or b"\0\0")
            if zeros or kind not in TYPES or not count:
                raise DataError(f"{path} is no IDX file of whole numbers")
            shape = [int.from_bytes(file.read(4)) for _ in range(count)]
            size = int(np.prod(shape, dtype=object)) * np.dtype(TYPES[kind]).itemsize
            if size > LARGEST:
                raise DataError(f"{path} says that it holds {size:,} bytes, which is more than it may")
            data = bytearray()
            while len(data) <= size and (more := file.read(min(MORE, size + 1 - len(data)))):
                data += more
    except (OSError, EOFError, zlib.error, ValueError) as problem:
        raise DataError(f"{path} cannot be read, it is cut off or broken: {problem}") from problem
    if len(data) != size:
        what = "is cut off" if len(data) < size else "is too long"
        raise DataError(
            f"{path} {what}: its head says {shape}, {size:,} bytes, and {min(len(data), size + 1):,} are there"
        )
    return np.frombuffer(data, TYPES[kind]).reshape(shape)


def _find(root: Path, part: str, what: str) -> Path:
    """The only file of images or labels of a part, in the folder or its subfolder `raw`."""
    pattern = re.compile(rf"(.*[-_.])?({PARTS[part]})[-_.]{what}[-_.]idx\d[-_.]\w+(\.gz)?", re.IGNORECASE)
    for folder in (root, root / "raw", *root.glob("*/raw")):
        found = [path for path in sorted(folder.glob("*")) if pattern.fullmatch(path.name)]
        names = {path.name.removesuffix(".gz") for path in found}
        if len(names) > 1:
            raise DataError(
                f"data.root is {root}, which has several files of {part} {what}: {', '.join(sorted(names))}"
            )
        if found:
            return found[0]  # the plain file if both exist
    raise DataError(
        f"data.root is {root}, which has no file of {part} {what}; it must hold {', '.join(FILES)}, or unpacked"
    )
