"""Time series from a CSV file, cut into windows: some steps as input, the steps after them as target."""

from typing import Annotated, Any, ClassVar, Literal, NotRequired, TypedDict, Unpack

import numpy as np
import torch
from annotated_types import Ge, Gt
from torch import Tensor

from nncli.data.base import Data, Parts, Shape
from nncli.data.files.paths import located
from nncli.data.rows import Rows, Windows
from nncli.data.series.measures import Measures, read
from nncli.data.series.times import moment
from nncli.data.split import Ordered
from nncli.errors import DataError

PARTS = ("train", "val", "test")


class Windowed(TypedDict):
    """The arguments of every series about its windows."""

    batch_size: Annotated[int, Ge(1)]
    length: Annotated[int, Ge(1)]
    horizon: Annotated[int, Ge(1)]
    period: NotRequired[Annotated[float, Gt(0)] | None]  # earlier runs have none
    stride: Annotated[int, Ge(1)]
    input_shape: Shape
    num_targets: Annotated[int, Ge(1)] | Literal["auto"]
    num_classes: Literal["auto"] | None


class Series(Data):
    """Windows of `length` steps, each followed by `horizon` steps to forecast.

    The parts are in the order of time. A part is evaluated on its own steps only, but the inputs of its first windows
    come from the part before, as in the published ETT loaders. `target` are the columns to forecast, `exogenous` other
    input columns; targets come first in a sample. Times, if there is a column of them, must increase; `gaps` is the
    number of places where steps are missing. A season has `period` steps, for the naive forecast that repeats it.
    """

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "series"

    def __init__(
        self,
        path: str | None,
        target: str | list[str],
        exogenous: list[str],
        time: str | None,
        borders: list[int] | list[str] | None,
        gaps: Annotated[int, Ge(0)] | Literal["auto"],
        split: Ordered,
        **shared: Unpack[Windowed],
    ) -> None:
        super().__init__(shared["batch_size"], shared["input_shape"], shared["num_classes"])
        self.path, self.target, self.exogenous, self.time = path, target, list(exogenous), time
        self.length, self.horizon, self.stride = shared["length"], shared["horizon"], shared["stride"]
        self.period = shared.get("period")
        self.borders, self.split, self.gaps = borders, split, gaps
        self.num_targets = shared["num_targets"]
        self.found: Measures | None = None

    def measures(self) -> Measures:
        """The whole series."""
        if self.path is None:
            raise DataError("data.path is null; say which file: data.path=FILE.csv")
        return read(located("path", self.path), self._targets(), self.exogenous, self.time)

    def load(self) -> Parts:
        found = self.found = self.measures()
        targets = len(found.names) - len(self.exogenous)
        if self.num_targets not in ("auto", targets):
            raise DataError(
                f"data.num_targets is {self.num_targets}, but {targets} columns are forecast; leave it auto"
            )
        if isinstance(self.gaps, int) and len(found.gaps) > self.gaps:
            line = found.line(found.gaps[0])
            raise DataError(
                f"data.gaps is {self.gaps}, the series has {len(found.gaps)}, the first before line {line} of "
                f"{found.source}; fill in what is missing, or accept it with data.gaps={len(found.gaps)}"
            )
        self.facts["columns"] = found.names
        if found.time is not None:
            self.facts["time"] = {"column": found.time, "form": found.form}
        return self._cut_up(torch.from_numpy(np.ascontiguousarray(found.values)), self._edges(found), targets)

    def inferred(self) -> dict[str, Any]:
        assert self.found is not None
        names = self.found.names
        targets = names[: len(names) - len(self.exogenous)]
        left_open = {
            "target": (self.target, targets),
            "time": (self.time, self.found.time),
            "gaps": (self.gaps, len(self.found.gaps)),
            "num_targets": (self.num_targets, len(targets)),
        }
        return {key: found for key, (given, found) in left_open.items() if given == "auto"} | super().inferred()

    def traits(self) -> dict[str, Any]:
        return {"samples": "windows", "targets": "future"}

    def samples(self) -> dict[str, Any]:
        return {"kind": "series", "length": self.length} | ({"period": self.period} if self.period else {})

    def where(self, part: str, row: int) -> str:
        rows = self.parts.get(part)
        if self.found is None or not isinstance(rows, Windows):
            return super().where(part, row)
        first = int(rows.starts[row])
        low, high = self.found.line(first), self.found.line(first + self.length + self.horizon - 1)
        return f"{self.found.source}, lines {low} to {high}"

    def _check_finite(self, name: str, rows: Rows) -> None:
        """All numbers were checked when they were read, where their line is known."""

    def _targets(self) -> list[str] | None:
        if self.target == "auto":
            known = self.facts.get("columns")
            return None if known is None else known[: len(known) - len(self.exogenous)]
        return [self.target] if isinstance(self.target, str) else list(self.target)

    def _edges(self, found: Measures) -> list[int]:
        """The rows at which train, val and test end."""
        total = len(found.values)
        if self.borders is None:
            rows = self.split.rows(total)
            return np.cumsum([len(rows[part]) for part in PARTS]).tolist()
        if self.split.fold is not None:
            raise DataError("data.borders and data.split.fold both say where the parts end; set one of the two to null")
        rows = [_row(found, border, total) for border in self.borders]
        edges = [*rows, total] if len(rows) == 2 else rows
        if len(edges) != 3 or not 0 < edges[0] < edges[1] < edges[2] <= total:
            raise DataError(
                f"data.borders is {self.borders}, where train, val and test end (the last may be left out); they must "
                f"grow and lie within the {total} rows"
            )
        return edges

    def _cut_up(self, values: Tensor, edges: list[int], targets: int) -> Parts:
        parts: dict[str, Windows] = {}
        columns = None if targets == values.shape[1] else list(range(targets))
        for name, low, high in zip(PARTS, [0, *edges], edges, strict=False):
            first = low if name == "train" else low - self.length
            end = high - self.length - self.horizon + 1
            starts = torch.arange(first, max(first, end), self.stride)
            if not len(starts):
                wants = f"{self.length} + {self.horizon}" if name == "train" else f"{self.horizon}"
                raise DataError(
                    f"the {name} part has {high - low} of the {len(values)} rows of the series, and one window needs "
                    f"{wants}; take a smaller data.length or data.horizon, or another data.split"
                )
            parts[name] = Windows(
                values,
                starts,
                self.length,
                offset=self.length,
                ahead=self.horizon,
                columns=columns,
                fitted=(0, edges[0]),
            )
        return parts


def _row(found: Measures, border: int | str, total: int) -> int:
    """The row of a border, which is a number of rows, or a time: the first row that is not before it."""
    if isinstance(border, int):
        return border if border >= 0 else total + border
    if found.stamps is None:
        raise DataError(
            f"data.borders has the time {border}, but no column tells the time; set data.time or count rows"
        )
    return int(np.searchsorted(found.stamps, moment(border, found.form)))
