"""The kinds of the columns of a table, determined in one pass over all rows."""

import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Literal

from nncli.data.tables.cells import dates, numbers, texts
from nncli.errors import DataError

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["number", "category", "date", "datetime", "skip", "identifier", "constant", "empty"]
USED = ("number", "category", "date", "datetime")  # columns of other kinds are left out
MOSTLY = 0.9  # a column with this share of numbers is meant to be numeric
MANY = 20  # distinct values that make a column numeric, and rows that make distinct values an identifier
ID = re.compile(r"(?i:^(?:id|index|row|nr|uuid|guid|unnamed.*)$|[_\s.-]id$|^id[_\s.-])|[a-z]I[dD]$")
# 1,5 and 1,000 and 5% and $7.50, but neither 1.2.3 nor 12/31/2020
DRESSED = re.compile(r"[-+]?\s*[$€£]?\s*[-+]?\d+(?:,\d+)*(?:\.\d+)?\s*[%$€£]?")
NAMELESS = re.compile(r"c\d+")


class Look:
    """The statistics of one column so far."""

    def __init__(self, name: str, missing: Collection[str]) -> None:
        self.name, self.missing = name, missing
        self.rows = self.known = self.numeric = 0
        self.different = self.most = 0  # distinct values, summed over the pieces and the most in one
        self.odd: tuple[int, str] | None = None  # the first row that is not a number, and its text
        self.first: object = None
        self.last: float | None = None
        self.same = self.whole = self.counts = self.dated = True  # so far
        self.clock = False

    def add(self, cells: "pl.Series") -> None:
        """Include the next rows."""
        found, wrong = numbers(cells, self.missing)
        plain = found
        if wrong.any():
            plain = texts(cells, self.missing)
            row = int(wrong.arg_true()[0])
            self.odd = self.odd or (self.rows + row, str(plain[row]))
            self.dated = self.dated and self._dates(cells)
        numeric = len(found) - found.null_count()
        self.dated = self.dated and numeric == 0
        self._count(found, steady=not wrong.any() and not found.null_count())
        self.rows, self.numeric = self.rows + len(cells), self.numeric + numeric
        known = plain.drop_nulls()
        if len(known):
            distinct = known.n_unique()
            self.known += len(known)
            self.different, self.most = self.different + distinct, max(self.most, distinct)
            self.first = known[0] if self.first is None else self.first
            self.same = self.same and distinct == 1 and known[0] == self.first

    def kind(self, place: Callable[[int], str]) -> Kind:
        """The kind of the column; raises DataError for text among numbers."""
        if not self.known:
            return "empty"
        if self.same and self.known == self.rows and self.rows > 1:
            return "constant"
        if self.numeric == self.known:
            return "identifier" if self._names_rows() else "number"
        if self.dated:
            return "datetime" if self.clock else "date"
        if self.odd and self.numeric >= MOSTLY * self.known and self.most > MANY:
            row, text = self.odd
            raise DataError(
                f"{place(row)}: column '{self.name}' holds '{shown(text)}' where {self.numeric:,} of {self.known:,} "
                "values are numbers; fix it, add it to data.missing if it means no value, "
                f"or set data.columns={{{self.name}:category}}"
            )
        if self.odd and self.most > MANY and DRESSED.fullmatch(self.odd[1]):
            row, text = self.odd
            raise DataError(
                f"{place(row)}: column '{self.name}' holds '{shown(text)}', a number that is not written as 1234.5; "
                f"write it so, or set data.columns={{{self.name}:skip}} or data.columns={{{self.name}:category}}"
            )
        return "identifier" if self.known >= MANY and self.different >= MOSTLY * self.known else "category"

    def _names_rows(self) -> bool:
        """Whether the numbers only identify the row."""
        if self.known < MANY or self.different < self.known or not self.whole:
            return False
        return bool(ID.search(self.name)) or (self.counts and NAMELESS.fullmatch(self.name) is not None)

    def _dates(self, cells: "pl.Series") -> bool:
        parts, wrong = dates(cells, self.missing)
        self.clock = self.clock or bool((parts["seconds"] > 0).any())
        return not wrong.any()

    def _count(self, found: "pl.Series", *, steady: bool) -> None:
        """Whether the numbers are integers, and increase by one from row to row."""
        self.whole = self.whole and bool((found == found.floor()).all())
        if self.counts and len(found):
            ahead = self.last is None or found[0] == self.last + 1
            self.counts = steady and ahead and bool((found.diff().drop_nulls() == 1).all())
            self.last = found[-1]


def shown(text: str) -> str:
    """A cell on one line."""
    text = text.encode("unicode_escape").decode() if not text.isprintable() else text
    return text if len(text) <= 40 else text[:39] + "…"
