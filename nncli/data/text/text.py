"""The user's own texts: texts with classes, or one long text to continue."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Unpack

import torch
from annotated_types import Ge
from torch import Tensor

from nncli.data.base import Data, Parts, Stated
from nncli.data.files.encoding import common
from nncli.data.files.paths import located
from nncli.data.rows import Rows
from nncli.data.split import Split
from nncli.data.text.encode import decode
from nncli.data.text.text_files import (
    Layout,
    Samples,
    folders_of,
    in_order,
    layout_of,
    read_column,
    read_folders,
    read_lines,
    read_long,
)
from nncli.data.text.tokens import Tokenizer, cut, goal_of, ragged, settled, stride_of, windows
from nncli.data.text.vocabulary import Vocabulary
from nncli.errors import DataError


class Text(Data):
    """Texts with classes are rows of different lengths (B, T), padded with 0; a stream is windows (B, max_length).

    The vocabulary (`facts["tokenizer"]`, which `Vocabulary.parse` reads) and the names of the classes
    (`facts["classes"]`) are those of the training part.
    """

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "text"

    def __init__(
        self,
        path: str | None,
        test_path: str | None,
        layout: Layout | Literal["auto"],
        encoding: str,
        text: str,
        target: str,
        header: bool,
        tokenizer: Tokenizer,
        stride: Annotated[int, Ge(1)] | Literal["auto"],
        split: Split,
        num_tokens: Annotated[int, Ge(3)] | Literal["auto"],
        **stated: Unpack[Stated],
    ) -> None:
        super().__init__(**stated)
        self.path, self.test_path, self.encoding = path, test_path, encoding
        self.layout: Layout | Literal["auto"] = layout
        self.text, self.target, self.header = text, target, header
        self.tokenizer, self.max_length, self.stride = tokenizer, tokenizer.max_length, stride
        self.split = split
        self.num_tokens = num_tokens
        self._found: dict[str, Any] = {}  # the values of `auto` arguments
        self._samples: dict[str, tuple[Samples, Tensor]] = {}  # the source of each part, and its rows there

    def load(self) -> Parts:
        if self.path is None:
            raise DataError("data.path is not given; set data.path=FOLDER, or the name of a text, CSV or Parquet file")
        path, test_path = _parts(self.path, self.test_path)
        layout = layout_of(path) if self.layout == "auto" else self.layout
        self._found["layout"] = layout
        if (group := self.split.group) is not None and layout != "column":
            raise DataError(f"data.split.group is {group}, which is a column of a table; here the layout is {layout}")
        parts = self._stream(path, test_path) if layout == "stream" else self._labelled(path, test_path, layout)
        size = Vocabulary.parse(self.facts["tokenizer"]).size
        self._found |= {"input_shape": [self.max_length], "num_tokens": size}
        self._found["num_classes"] = size if layout == "stream" else len(self.facts["classes"])
        self.facts["encoding"] = self._found["encoding"]
        return parts

    def inferred(self) -> dict[str, Any]:
        return settled({**vars(self), "split.method": self.split.method}, self._found)

    def traits(self) -> dict[str, Any]:
        if self._found["layout"] == "stream":
            return {"samples": "passages", "targets": self._found["target"]}
        return {"samples": "texts", "targets": "classes"}

    def samples(self) -> dict[str, Any]:
        length = self.max_length if "classes" in self.facts else None
        return {"kind": "text", "max_length": length, "column": self.text, "form": {"header": self.header}}

    def decode(self, encoded: Any) -> str:
        return decode(encoded, self.facts)

    def where(self, part: str, row: int) -> str:
        if part not in self._samples:
            return super().where(part, row)
        samples, rows = self._samples[part]
        return samples.where(int(rows[row]))

    def _labelled(self, path: Path, test_path: Path | None, layout: Layout) -> Parts:
        samples = self._read(path, layout)
        given = None if test_path is None else self._read(test_path, layout)
        self._found["encoding"] = common(samples.encodings | (given.encodings if given else set()))
        self._found["split.method"] = "stratified"
        if samples.columns is not None:
            self._found |= dict(zip(("text", "target"), samples.columns, strict=True))
        y = self._numbered(samples, path)
        rows = self.split.rows(y, samples.groups, given={"test"} if given else ())
        self._samples = {name: (samples, which) for name, which in rows.items()}
        if given is not None:
            self._samples["test"] = (given, torch.arange(len(given.texts)))
        texts = {name: [part.texts[i] for i in which.tolist()] for name, (part, which) in self._samples.items()}
        vocabulary = self.tokenizer.learn(self.facts, texts["train"], self.num_tokens)
        answers = {name: self._numbered(given, path) if given and name == "test" else y[rows[name]] for name in texts}
        return {name: ragged(vocabulary, some, answers[name], self.max_length) for name, some in texts.items()}

    def _stream(self, path: Path, test_path: Path | None) -> dict[str, Rows]:
        goal = goal_of(self.target)
        if (method := self.split.method) not in ("auto", "ordered"):
            raise DataError(f"data.split.method is {method}, and a long text can only be cut in order; take ordered")
        text, encodings = read_long(path, self.encoding)
        given = {"test"} if test_path else set[str]()
        texts = cut(text, self.split.rows(torch.zeros(len(text)), given=given, auto="ordered"))
        if test_path is not None:
            texts["test"], more = read_long(test_path, self.encoding)
            encodings = encodings | more
        stride = stride_of(self.stride, self.max_length, goal)
        self._found |= {"encoding": common(encodings), "split.method": "ordered", "target": goal, "stride": stride}
        vocabulary = self.tokenizer.learn(self.facts, [texts["train"]], self.num_tokens)
        return dict(windows(vocabulary, texts, self.max_length, stride, goal))

    def _read(self, path: Path, layout: Layout) -> Samples:
        if layout == "column":
            return read_column(path, self.encoding, self.text, self.target, self.split.group, self.header)
        return (read_folders if layout == "folders" else read_lines)(path, self.encoding)

    def _numbered(self, samples: Samples, path: Path) -> Tensor:
        """The index of each sample's class, among the names of an earlier run, if given."""
        if "classes" not in self.facts:
            names = in_order(set(samples.labels))
            if len(names) < 2:
                only = f"all {len(samples.labels):,} samples are of one class, '{names[0]}'"
                raise DataError(f"{path}: {only}; there is nothing to distinguish. A second class is missing")
            self.facts["classes"] = names
        number = {name: i for i, name in enumerate(self.facts["classes"])}
        odd = next((i for i, label in enumerate(samples.labels) if label not in number), None)
        if odd is not None:
            raise DataError(
                f"{samples.where(odd)} is of class '{samples.labels[odd]}', which the training data does not have; "
                f"it has {', '.join(self.facts['classes'][:20])}"
            )
        return torch.tensor([number[label] for label in samples.labels])


def _parts(path: str, test_path: str | None) -> tuple[Path, Path | None]:
    """The paths of the training and test samples; a folder with the folders train and test is both."""
    whole = located("path", path)
    if test_path is not None:
        return whole, located("test_path", test_path)
    if whole.is_dir() and {"train", "test"} <= {folder.name for folder in folders_of(whole)}:
        return whole / "train", whole / "test"
    return whole, None
