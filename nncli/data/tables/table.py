"""Tables from CSV or Parquet with one sample per row, and columns of numbers, categories and dates."""

import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Unpack

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor

from nncli.data.base import Classes, Data, Parts, Stated
from nncli.data.files.csv_file import CsvFile
from nncli.data.files.encoding import common
from nncli.data.files.paths import located
from nncli.data.rows import Rows
from nncli.data.split import Split
from nncli.data.tables.cells import moments
from nncli.data.tables.columns import USED, Kind
from nncli.data.tables.encode import stored
from nncli.data.tables.learned import encode_file, gather, sizes_of
from nncli.data.tables.table_file import File, Form, column, needed, open_table, survey
from nncli.data.tables.target import Target
from nncli.errors import DataError
from nncli.files import home

if TYPE_CHECKING:
    import polars as pl

KEY = re.compile(r"[\w@/ :-]+")  # allowed as a key in a config


class Table(Data):
    """Numbers are stored unchanged, missing ones as NaN, and categories as codes; the transform `table` expands them
    on the device. Names, kinds and values are in `facts`, from which `encode` reads raw rows."""

    def __init__(
        self,
        root: str | None,
        path: str | None,
        test_path: str | None,
        target: str | int | None,
        columns: dict[str, Kind] | Literal["auto"],
        names: list[str] | None,
        separator: str,
        header: bool | Literal["auto"],
        quote: str | None,
        encoding: str,
        missing: list[str],
        max_categories: Annotated[int, Ge(1)],
        split: Split,
        time: str | int | None,
        sizes: list[Annotated[int, Ge(1)]] | Literal["auto"],
        **stated: Unpack[Stated],
    ) -> None:
        super().__init__(**stated)
        self.root, self.path, self.test_path, self.target = root, path, test_path, target
        self.columns: dict[str, Kind] = {} if columns == "auto" else dict(columns)
        self.split, self.time = split, time
        self.classes: Classes = stated["num_classes"]
        self.form = Form(separator, header, quote, encoding, names)
        self.missing = ["", *(text for text in missing if text)]
        self.max_categories = max_categories
        self.sizes = sizes if sizes == "auto" else list(sizes)

    def load(self) -> Parts:
        self._check_words()
        self.file = self._open("path", self.path)
        self.test = None
        if self.test_path is not None:
            self.test = self._open("test_path", self.test_path)
        y, test_y = self._look()
        x = self._encode()
        parts = {name: (x[name], y[rows]) for name, rows in self.rows.items()}
        if self.test is not None and test_y is not None:
            x_test = encode_file(self.test, self.facts, np.arange(len(self.test)))
            parts["test"] = torch.from_numpy(x_test), test_y
        return parts

    def inferred(self) -> dict[str, Any]:
        """The kinds of columns, unused ones first, the form of the file, the sizes and shapes, if they were open."""
        found: dict[str, Any] = {}
        ordered = sorted(self.kinds.items(), key=lambda item: item[1] in USED)
        columns = {_key(name, self.file.names): kind for name, kind in ordered}
        if columns != self.columns:
            found["columns"] = columns
        if isinstance(self.file, CsvFile):
            encodings = {file.encoding for file in (self.file, self.test) if isinstance(file, CsvFile)}
            forms = {"separator": self.file.spelled, "header": self.file.header, "encoding": common(encodings)}
            found |= {name: value for name, value in forms.items() if getattr(self.form, name) == "auto" != value}
        if self.sizes == "auto":
            found["sizes"] = self.facts["sizes"]
        if self.input_shape == "auto":
            found["input_shape"] = [sum(self.facts["sizes"])]
        if self.num_classes == "auto":
            found["num_classes"] = len(self.facts["classes"]) if "classes" in self.facts else None
        return found

    def traits(self) -> dict[str, Any]:
        return self.parts["train"].traits() | {"samples": "cells"}

    def samples(self) -> dict[str, Any]:
        """Rows by name or in order, or in a file; a file may lack the target and have other columns."""
        return {"kind": "table", "form": asdict(self.form)}

    def where(self, part: str, row: int) -> str:
        if part == "test" and self.test is not None:
            return self.test.place(row)
        return self.file.place(int(self.rows[part][row]))

    def _check_shape(self, name: str, rows: Rows) -> None:
        width = sum(self.facts["sizes"])  # after the transform
        if self.input_shape != "auto" and self.input_shape != [width]:
            raise DataError(
                f"data.input_shape is {self.input_shape}, the columns make {width} values; set data.input_shape=auto"
            )

    def _check_finite(self, name: str, rows: Rows) -> None:
        """NaN is a missing value; all others were checked when they were encoded."""

    def _check_words(self) -> None:
        if self.path is None:
            raise DataError("data.path is null; name a CSV or Parquet file: data.path=FILE")
        if self.time is not None and self.split.method != "ordered":
            raise DataError(
                f"data.time is {self.time}, but data.split.method is {self.split.method}; "
                "say data.split.method=ordered too"
            )

    def _open(self, key: str, text: str | None) -> File:
        path = located(key, str(home(self.root or "") / home(text or "")))
        form = self.form
        if key == "test_path" and isinstance(self.file, CsvFile):  # of the same form as the training file
            form = replace(form, separator=self.file.separator, header=self.file.header)
        return open_table(path, form, key)

    def _look(self) -> tuple[Tensor, Tensor | None]:
        """Everything except the inputs: the kinds of the columns, the targets and the split."""
        file = self.file
        target = column(file, "target", self.target)
        roles = {
            key: column(file, key, name)
            for key, name in (("split.group", self.split.group), ("time", self.time))
            if name is not None
        }
        given = bool(self.facts)
        apart = {target, roles.get("split.group")}
        told = {} if given else self.columns
        stated: dict[str, Kind] = {column(file, "columns", name): kind for name, kind in told.items()}
        undecided = [] if given else [name for name in file.names if name not in stated and name not in apart]
        found, whole = survey(file, undecided, {target, *roles.values()}, self.missing)
        known = stated | found
        self.kinds: dict[str, Kind] = {name: known[name] for name in file.names if name in known}
        if not given:
            kinds = {name: kind for name, kind in self.kinds.items() if kind in USED and name not in apart}
            self._check_kinds(kinds, target)
            self.facts.update(target=target, missing=self.missing, kinds=kinds, columns=stored(kinds))
            if isinstance(file, CsvFile) and (not file.header or self.form.names):
                self.facts["names"] = file.names  # of all columns, which other files of this form do not have either
        needed(file, self.facts["kinds"])
        aim = Target(whole[target], target, self.missing, file.place)
        classes = self.facts.get("classes") if given else aim.classes(self.classes)
        if classes is not None:
            self.facts["classes"] = classes
        y = aim.measures() if classes is None else aim.labels(classes)
        self._split(y, {key: whole[name] for key, name in roles.items()})
        return y, self._test_targets(target, classes)

    def _check_kinds(self, kinds: dict[str, str], target: str) -> None:
        if not kinds:
            others = ", ".join(f"{name} is {kind}" for name, kind in self.kinds.items()) or "there is no other column"
            raise DataError(f"{self.file.path} has no column to learn '{target}' from: {others}; see data.columns")

    def _test_targets(self, target: str, classes: list[str] | None) -> Tensor | None:
        if (test := self.test) is None:
            return None
        needed(test, [target, *self.facts["kinds"]])
        _, whole = survey(test, [], [target], self.missing)
        aim = Target(whole[target], target, self.missing, test.place)
        return aim.measures() if classes is None else aim.labels(classes, stops=True)

    def _split(self, y: Tensor, roles: dict[str, "pl.Series"]) -> None:
        """Set `rows`, the rows of the file for train, val and test."""
        groups = None
        if (names := roles.get("split.group")) is not None:
            groups = names.rank("dense").fill_null(0).to_numpy().astype(np.int64)
        rows = self.split.rows(y, groups, given=() if self.test is None else {"test"})
        if (times := roles.get("time")) is not None:
            order = torch.from_numpy(
                np.argsort(moments(times, self.missing, str(self.time), self.file.place), kind="stable")
            )
            rows = {name: order[places] for name, places in rows.items()}
        self.rows = rows

    def _encode(self) -> dict[str, Tensor]:
        """The inputs of the parts, as views of one tensor."""
        if "sizes" not in self.facts:
            gather(self.file, self.facts, self.rows["train"].numpy(), self.max_categories)
        x = torch.from_numpy(encode_file(self.file, self.facts, torch.cat(list(self.rows.values())).numpy()))
        parts = dict(zip(self.rows, x.split([len(rows) for rows in self.rows.values()]), strict=True))
        if "sizes" not in self.facts:
            self.facts["sizes"] = sizes_of(parts["train"].numpy(), self.facts)
        if self.sizes not in ("auto", self.facts["sizes"]):
            raise DataError(
                f"data.sizes is {self.sizes}, the data has {self.facts['sizes']}; "
                "set data.sizes=auto data.input_shape=auto"
            )
        return parts


def _key(name: str, names: list[str]) -> str:
    """The name of a column if it is allowed as a key in a config, else its number."""
    fits = KEY.fullmatch(name) and not (name.startswith("_") and name.endswith("_"))
    return name if fits else str(names.index(name))
