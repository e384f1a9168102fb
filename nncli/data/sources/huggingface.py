"""Hugging Face data sets: images, texts or numbers, each with a target."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Unpack

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor

from nncli.data.base import Data, Parts, Stated
from nncli.data.files.hub import opened, picture, picture_folders, pinned
from nncli.data.images.decode import UNREADABLE, Form, Trouble, decoded, look, reason
from nncli.data.split import Split
from nncli.data.text.encode import decode
from nncli.data.text.text_files import TARGETS, in_order
from nncli.data.text.tokens import Tokenizer, ragged, settled
from nncli.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset

VAL = ("validation", "valid", "val", "dev")
LOOKED_AT = 200  # rows from which the text column is detected


class HuggingFace(Data):
    """A data set on the hub, or the user's own files, read by the library. No code of a set's authors is run."""

    def __init__(
        self,
        path: str | None,
        name: str | None,
        revision: str | None,
        input: list[str] | str,
        target: str,
        train_split: str,
        val_split: str | None,
        test_split: str | None,
        streaming: bool,
        samples: Annotated[int, Ge(1)] | None,
        split: Split,
        tokenizer: Tokenizer,
        num_tokens: Annotated[int, Ge(3)] | Literal["auto"] | None,
        **stated: Unpack[Stated],
    ) -> None:
        super().__init__(**stated)
        self.path, self.subset, self.revision = path, name, revision
        self.input, self.target = input, target
        self.splits = {"train": train_split, "val": val_split, "test": test_split}
        self.streaming, self.most = streaming, samples
        self.split, self.tokenizer, self.max_length = split, tokenizer, tokenizer.max_length
        self.num_tokens: int | Literal["auto"] | None = num_tokens
        self._found: dict[str, Any] = {}
        self._from: dict[str, tuple[str, Tensor]] = {}  # the split of each part, and its rows there

    def load(self) -> Parts:
        if self.path is None:
            raise DataError("data.path is not given; set data.path=OWNER/NAME of a set on the hub, or data.path=FOLDER")
        revision = pinned(self.path, self.revision)
        every = opened(self.path, self.subset, revision, streaming=self.streaming, samples=self.most)
        used = self._used(every)
        train = every[used["train"]]
        inputs, target = self._columns(train)
        self._found = {"revision": revision, "input": inputs if len(inputs) > 1 else inputs[0], "target": target}
        y = {split: self._answers(every[split], target, split) for split in dict.fromkeys(used.values())}
        _check_classes(y[used["train"]], f"{self.path}, split {used['train']}", self.most)
        self._divide(used, y, train)
        x = {split: self._inputs(every[split], inputs, split) for split in y}
        texts = {split: some for split, some in x.items() if isinstance(some, list)}
        if texts:
            return self._texts(texts, y)
        self._found["num_tokens"] = None
        tensors = {split: some for split, some in x.items() if isinstance(some, Tensor)}
        return {part: (tensors[split][rows], y[split][rows]) for part, (split, rows) in self._from.items()}

    def inferred(self) -> dict[str, Any]:
        shape = [self.max_length] if self._found["num_tokens"] else list(self.parts["train"].span(0, 1)[0].shape[1:])
        names = self.facts.get("classes")
        found = {**self._found, "input_shape": shape, "num_classes": None if names is None else len(names)}
        return settled({**vars(self), **{f"{part}_split": self.splits[part] for part in self.splits}}, found)

    def traits(self) -> dict[str, Any]:
        return self.parts["train"].traits() | ({"samples": "texts"} if self._found["num_tokens"] else {})

    def samples(self) -> dict[str, Any]:
        """A text, a picture, or numbers."""
        if "tokenizer" in self.facts:
            column = self.input if isinstance(self.input, str) else self.input[0]
            return {"kind": "text", "max_length": self.max_length, "column": column}
        found = super().samples()
        picture = found["dtype"] == "uint8" and len(found.get("shape", ())) == 3
        return found | {"kind": "image" if picture else "numbers"}

    def decode(self, encoded: Any) -> str:
        return decode(encoded, self.facts) if "tokenizer" in self.facts else super().decode(encoded)

    def where(self, part: str, row: int) -> str:
        split, rows = self._from[part]
        return f"{self.path}, split {split}, row {int(rows[row]):,}"

    def _used(self, every: dict[str, "Dataset"]) -> dict[str, str]:
        """The split of each part; parts without one are cut from the training split."""
        used: dict[str, str] = {}
        for part, wanted in self.splits.items():
            if wanted == "auto":
                wanted = next((s for s in (VAL if part == "val" else ("test",)) if s in every), None)
                wanted = wanted if wanted and not _unanswered(every[wanted], self.target) else None
            elif wanted is not None and wanted not in every:
                raise DataError(f"data.{part}_split is {wanted}; {self.path} has {', '.join(every)}")
            if wanted is not None:
                used[part] = wanted
        if self.split.fold is not None and "test" in used:
            raise DataError("data.split.fold cuts its own test part, and one is given; set data.test_split=null")
        return used

    def _columns(self, data: "Dataset") -> tuple[list[str], str]:
        """The columns of the input and of the target."""
        names = data.column_names
        if self.target == "auto":
            named = {n.lower(): n for n in reversed(names)}
            target = next((named[n] for n in TARGETS if n in named), None)
            if target is None:
                raise DataError(f"which column of {self.path} is the answer? {_listed(names)}; set data.target=NAME")
        else:
            target = self.target
        wanted = [self.input] if isinstance(self.input, str) else list(self.input)
        inputs = _input_columns(data, target) if wanted == ["auto"] else wanted
        for key, name in [("target", target), ("split.group", self.split.group), *(("input", name) for name in inputs)]:
            if name is not None and name not in names:
                raise DataError(f"data.{key} is {name}, no column of {self.path}; {_listed(names)}")
        if not inputs:
            raise DataError(f"{self.path} has no column of images, texts or numbers besides {target}; {_listed(names)}")
        return inputs, target

    def _divide(self, used: dict[str, str], y: dict[str, Tensor], train: "Dataset") -> None:
        source, group = used["train"], self.split.group
        groups = np.asarray(train[str(group)][:]).astype(str) if group is not None else None
        rows = self.split.rows(y[source], groups, given=used.keys() - {"train"})
        self._from = {part: (source, which) for part, which in rows.items()}
        self._from |= {part: (used[part], torch.arange(len(y[used[part]]))) for part in used if part != "train"}

    def _texts(self, x: dict[str, list[str]], y: dict[str, Tensor]) -> Parts:
        texts = {part: [x[split][i] for i in rows.tolist()] for part, (split, rows) in self._from.items()}
        vocabulary = self.tokenizer.learn(self.facts, texts["train"], self.num_tokens)
        self.__dict__["kind"] = "text"  # a class variable elsewhere; only here it depends on the data
        self._found["num_tokens"] = vocabulary.size
        answers = {part: y[split][rows] for part, (split, rows) in self._from.items()}
        return {part: ragged(vocabulary, some, answers[part], self.max_length) for part, some in texts.items()}

    def _inputs(self, data: "Dataset", columns: list[str], split: str) -> Tensor | list[str]:
        from datasets import Image

        feature = data.features[columns[0]]
        if isinstance(feature, Image):
            self.__dict__["kind"] = "image"
            shape = None if isinstance(self.input_shape, str) else self.input_shape
            return _pictures(data[columns[0]], shape, f"{self.path}, split {split}", picture_folders(str(self.path)))
        if getattr(feature, "dtype", "") in ("string", "large_string") and len(columns) == 1:
            texts: list[str | None] = data[columns[0]][:]
            if None in texts:
                raise DataError(
                    f"{self.path}, split {split}, row {texts.index(None):,} has no {columns[0]}; fill it in"
                )
            return [text for text in texts if text is not None]
        self.facts.setdefault("columns", columns)
        try:
            values = [np.asarray(data.with_format("numpy")[name][:], dtype=np.float32) for name in columns]
        except (TypeError, ValueError) as problem:
            raise DataError(
                f"data.input is {columns}, of which not all are numbers of one shape in {self.path}, split {split}; "
                "take columns of numbers, or one of texts or images"
            ) from problem
        return torch.from_numpy(values[0] if values[0].ndim > 1 else np.stack(values, axis=1))

    def _answers(self, data: "Dataset", target: str, split: str) -> Tensor:
        """Classes by index, among the names of an earlier run, if given; numbers unchanged."""
        feature: Any = data.features[target]
        values: list[Any] = data[target][:]
        if None in values:
            raise DataError(f"{self.path}, split {split}, row {values.index(None):,} has no {target}; leave it out")
        if hasattr(feature, "names"):  # classes that the set itself has numbered
            self.facts.setdefault("classes", list(feature.names))
            return torch.tensor(values)
        if values and isinstance(values[0], float):
            return torch.tensor(values, dtype=torch.float32)
        if values and not isinstance(values[0], str | int):
            raise DataError(f"data.target is {target}, which is neither a class nor a number in {self.path}")
        labels = [str(value) for value in values]
        names = self.facts.setdefault("classes", in_order(set(labels)))
        number = {name: i for i, name in enumerate(names)}
        odd = next((i for i, label in enumerate(labels) if label not in number), None)
        if odd is not None:
            raise DataError(
                f"{self.path}, split {split}, row {odd:,} is of class '{labels[odd]}', which the training split does "
                "not have"
            )
        return torch.tensor([number[label] for label in labels])


def _check_classes(y: Tensor, name: str, samples: int | None) -> None:
    if not y.is_floating_point() and len(y) and len(y.unique()) == 1:
        more = "; it may be sorted by class: take more than data.samples" if samples else ""
        raise DataError(f"{name}: all {len(y):,} samples are of one class; there is nothing to distinguish{more}")


def _unanswered(data: "Dataset", target: str) -> bool:
    """Whether a split hides its labels as -1, as in competitions."""
    names = [target] if target != "auto" else [n for n in data.column_names if n.lower() in TARGETS]
    return any(n in data.column_names and len(data) > 0 and set(data[n][:LOOKED_AT]) == {-1} for n in names)


def _input_columns(data: "Dataset", target: str) -> list[str]:
    """The first column of images, else that of the longest texts, else all columns of numbers."""
    from datasets import Image

    others = {name: feature for name, feature in data.features.items() if name != target}
    if images := [name for name, feature in others.items() if isinstance(feature, Image)]:
        return images[:1]
    kinds = {name: str(getattr(feature, "dtype", "")) for name, feature in others.items()}
    texts = [name for name, kind in kinds.items() if kind in ("string", "large_string")]
    if texts:
        return [max(texts, key=lambda name: sum(len(text or "") for text in data[name][:LOOKED_AT]))]
    return [name for name, kind in kinds.items() if kind.startswith(("int", "uint", "float", "bool"))]


def _pictures(files: Any, shape: list[int] | None, name: str, folders: list[str]) -> Tensor:
    """Images (N, C, H, W) in bytes, all of the given size or that of the first."""
    if not len(files):
        raise DataError(f"{name} has no rows")

    def read(row: str) -> bytes:
        file = files[int(row)]
        if not file or not (file["bytes"] or file["path"]):
            raise ValueError("there is none")
        return picture(file, folders)

    try:
        form = Form(*(shape or _shape(read("0"))), exact=True)
    except UNREADABLE as problem:
        raise DataError(f"{name}, row 0: the image cannot be used: {reason(problem)}") from problem
    pixels = np.empty((len(files), *form[:3]), dtype=np.uint8)
    for row, found in enumerate(decoded(read, list(map(str, range(len(files)))), form)):
        if isinstance(found, Trouble):
            raise DataError(f"{name}, row {row:,}: the image cannot be used: {found.reason}")
        pixels[row] = found
    return torch.from_numpy(pixels)


def _shape(data: bytes) -> list[int]:
    height, width, colours = look(data)
    return [3 if colours else 1, height, width]


def _listed(names: list[str]) -> str:
    return f"it has {', '.join(names[:20])}{' …' if len(names) > 20 else ''}"
