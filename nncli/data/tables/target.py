"""The target column: named classes or numbers."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from nncli.data.tables.cells import numbers, texts
from nncli.data.tables.columns import shown
from nncli.errors import DataError

if TYPE_CHECKING:
    import polars as pl

FEW = 20  # distinct integers up to which they are classes
Place = Callable[[int], str]


class Target:
    """The column of targets; raises DataError if one is missing."""

    def __init__(self, cells: "pl.Series", name: str, missing: Collection[str], place: Place) -> None:
        self.name, self.place = name, place
        self.numbers, wrong = numbers(cells, missing)
        lost = self.numbers.is_null() & ~wrong
        if lost.any():
            raise DataError(
                f"{place(int(lost.arg_true()[0]))}: the target '{name}' is missing"
                + (f", as in {int(lost.sum()) - 1:,} other rows" if lost.sum() > 1 else "")
                + "; take such rows out, or check data.missing"
            )
        self.numeric = not wrong.any()
        self.wrong = wrong
        self.whole = self.numeric and bool((self.numbers == self.numbers.floor()).all()) and self._finite()
        self.cells, self.missing = cells, missing

    def classes(self, num_classes: int | Literal["auto"] | None) -> list[str] | None:
        """The names of the classes in order; None if the target is numeric."""
        count = len(self.numbers)
        if num_classes is None or (num_classes == "auto" and self._measured()):
            self._check_measured()
            return None
        names = self._names()
        distinct = names.unique().to_list()
        if len(distinct) < 2:
            raise DataError(f"data.target '{self.name}' has only one class, '{shown(distinct[0])}': nothing to learn")
        if len(distinct) > max(FEW, count // 2):
            raise DataError(
                f"data.target '{self.name}' holds {len(distinct):,} different texts in {count:,} rows, first "
                f"'{shown(names[0])}' at {self.place(0)}: no classes; name another column"
            )
        return sorted(distinct, key=int) if self.whole else sorted(distinct)

    def labels(self, classes: list[str], *, stops: bool = False) -> Tensor:
        """The index of each row's class; `stops` allows a full stop after the name of a class."""
        import polars as pl

        names, known = self._names(), pl.Series(classes, dtype=pl.String)
        bare = names.str.strip_chars_end(".")
        if stops and bare.is_in(classes).sum() > names.is_in(classes).sum():
            names = bare
        found = names.replace_strict(known, pl.Series(range(len(classes))), default=-1, return_dtype=pl.Int64)
        if (found < 0).any():
            row = int((found < 0).arg_true()[0])
            some = ", ".join(shown(name) for name in classes[:FEW])
            raise DataError(
                f"{self.place(row)}: the target '{self.name}' is '{shown(names[row])}', which is none of the classes "
                f"of the training file: {some}"
            )
        return torch.from_numpy(found.to_numpy().copy())

    def measures(self) -> Tensor:
        """Each row's number."""
        self._check_measured()
        return torch.from_numpy(self.numbers.to_numpy().astype(np.float32))

    def _measured(self) -> bool:
        distinct = self.numbers.n_unique()
        return self.numeric and not (self.whole and distinct <= FEW and 2 * distinct <= len(self.numbers))

    def _names(self) -> "pl.Series":
        import polars as pl

        if self.whole:
            return self.numbers.cast(pl.Int64).cast(pl.String)
        return texts(self.cells, self.missing)

    def _finite(self) -> bool:
        return bool((self.numbers.abs() < 2**53).all())

    def _check_measured(self) -> None:
        limit = float(np.finfo(np.float32).max)
        wrong = self.wrong | (self.numbers.abs() > limit).fill_null(False)
        if wrong.any():
            row = int(wrong.arg_true()[0])
            raise DataError(
                f"{self.place(row)}: the target '{self.name}' is '{shown(str(self.cells[row]).strip())}', no number "
                "to be measured; fix it, or set data.num_classes=auto to learn classes"
            )
        if self.numbers.n_unique() < 2 and len(self.numbers) > 1:
            raise DataError(f"data.target '{self.name}' is {self.numbers[0]:g} in every row: nothing to learn")
