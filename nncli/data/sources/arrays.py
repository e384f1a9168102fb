"""Arrays saved by NumPy: an .npz file with x and y, or two .npy files, which are memory-mapped if they are large."""

import zipfile
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Unpack

import numpy as np
import torch
from annotated_types import Gt
from torch import Tensor

from nncli.data.base import Data, Parts, Stated
from nncli.data.files.memory import limit
from nncli.data.files.paths import located, regular
from nncli.data.rows import InMemory, Mapped, Rows
from nncli.data.split import Split
from nncli.errors import DataError

FORMS = "an .npz with the arrays x and y, or FOLDER/x.npy with y.npy beside it"
PLAIN = "biuf"  # booleans, integers, floats


class Arrays(Data):
    """Inputs x (N, ...) and targets y (N,) or (N, ...): integers are classes, floats are numeric targets.

    Bytes of three or four dimensions are pictures: (N, H, W), (N, H, W, C) or (N, C, H, W).
    """

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "table"

    def __init__(
        self,
        path: str | None,
        test_path: str | None,
        target: str,
        memory: Annotated[float, Gt(0)] | Literal["auto"],
        split: Split,
        **stated: Unpack[Stated],
    ) -> None:
        super().__init__(**stated)
        self.path, self.test_path, self.target = path, test_path, target
        self.memory: float | Literal["auto"] = memory
        self.split = split
        self._from: dict[str, tuple[str, Tensor]] = {}  # the file of each part, and its rows there

    def load(self) -> Parts:
        if not self.path:
            raise DataError(f"data.path is not set; set data.path=FILE: {FORMS}")
        x, y = self._read("path", self.path)
        group = self.split.group
        groups = self._array(located("path", self.path), str(group)) if group is not None else None
        cut = self.split.rows(y, groups, given={"test"} if self.test_path else ())
        parts = {part: self._rows(x, y[which], which) for part, which in cut.items()}
        self._from = {part: (self.path, which) for part, which in cut.items()}
        if self.test_path:
            x, y = self._read("test_path", self.test_path)
            parts["test"] = self._rows(x, y, torch.arange(len(y)))
            self._from["test"] = (self.test_path, torch.arange(len(y)))
        return parts

    def traits(self) -> dict[str, Any]:
        return self.parts["train"].traits()

    def samples(self) -> dict[str, Any]:
        """Pictures, or values like those of a row of x."""
        found = super().samples()
        picture = found["dtype"] == "uint8" and len(found.get("shape", ())) == 3
        return found | {"kind": "image" if picture else "numbers"}

    def where(self, part: str, row: int) -> str:
        path, which = self._from[part]
        return f"{path}, row {int(which[row])}"

    def _read(self, key: str, given: str) -> tuple[np.ndarray, Tensor]:
        path = located(key, given)
        x, y = self._array(path, "x"), self._array(path, self.target)
        for name, array in (("x", x), (self.target, y)):
            if array.dtype.kind not in PLAIN or array.ndim == 0:
                raise DataError(
                    f"{path}: {name} is {array.dtype} of shape {list(array.shape)}; it must be rows of numbers"
                )
        if len(x) != len(y):
            raise DataError(f"{path}: x has {len(x):,} rows, {self.target} has {len(y):,}")
        if x.dtype == np.uint8:
            if x.ndim == 3:
                x = x[:, None]
            elif x.ndim == 4 and x.shape[-1] in (1, 3, 4) and x.shape[1] not in (1, 3, 4):
                x = x.transpose(0, 3, 1, 2)
        y = np.asarray(y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y)
        measured = y.dtype.kind == "f" or self.num_classes is None
        if not measured and y.ndim > 1:
            raise DataError(f"{path}: {self.target} has shape {list(y.shape)}; classes are one whole number a row")
        if not measured:
            self._check_classes(path, y)
        with np.errstate(over="ignore"):  # too large values become inf, and are reported with their row
            return x, torch.from_numpy(y.astype(np.float32 if measured else np.int64))

    def _check_classes(self, path: Path, y: np.ndarray) -> None:
        """If the number of classes is not given, check that the labels look like classes."""
        if self.num_classes != "auto" or y.ndim != 1 or len(y) == 0:
            return
        if len(wrong := np.flatnonzero((y < 0) | (y >= len(y)))):
            raise DataError(
                f"{path}, row {wrong[0]}: {self.target} is {y[wrong[0]]}; classes are numbered from 0, so with "
                f"{len(y):,} rows 0 to {len(y) - 1:,} make sense; number them anew, or for a measured target say "
                "data.num_classes=null task=regression loss=mse model.num_outputs=1"
            )
        if (y == y[0]).all():
            raise DataError(f"{path}: {self.target} is {y[0]} in every row; a net needs at least two")

    def _array(self, path: Path, name: str) -> np.ndarray:
        """One array by its name; an .npy stays in its file until its rows are read."""
        file = path if path.suffix == ".npz" or name == "x" else path.with_name(f"{name}.npy")
        if path.is_dir():
            file = path / f"{name}.npy"
        regular(file)
        try:
            if file.suffix != ".npz":
                return np.load(file, mmap_mode="r", allow_pickle=False)
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as found:
                if name not in found:
                    raise DataError(f"{path} has no array {name}; it has {', '.join(found.files) or 'none'}")
                return found[name]
        except OSError as problem:
            raise DataError(f"{file} cannot be read: {problem.strerror or problem}; it must be {FORMS}") from problem
        except MemoryError as problem:
            raise DataError(
                f"{file} does not fit into memory: {problem}; save x as .npy, which can stay on disk"
            ) from problem
        except (ValueError, EOFError, zipfile.BadZipFile) as problem:
            reason = str(problem)
            if "allow_pickle" in reason:
                reason = "it holds Python objects, which are never loaded"
            elif "malformed node" in reason:
                reason = "its header is broken"
            raise DataError(f"{file} cannot be read: {reason}; it must be {FORMS}") from problem

    def _rows(self, x: np.ndarray, y: Tensor, which: Tensor) -> Rows:
        wanted = np.uint8 if x.dtype.kind == "b" else {"f": np.float32}.get(x.dtype.kind, np.int64)
        wanted = np.uint8 if x.dtype == np.uint8 else wanted
        if x.nbytes <= limit(self.memory):
            with np.errstate(over="ignore"):
                return InMemory(torch.from_numpy(x[which.numpy()].astype(wanted, copy=False)), y)
        if x.dtype != wanted:
            text = f"{self.path}: x is {x.dtype} and larger than data.memory allows; save it as {np.dtype(wanted)}"
            raise DataError(text)
        return Mapped(x, y, which)
