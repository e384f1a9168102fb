"""Long texts to continue: one that is part of Python, and one that is downloaded."""

import importlib
from typing import Annotated, Any, ClassVar, Literal, Unpack

from annotated_types import Ge

from nncli.data.base import Data, Parts, Stated
from nncli.data.files.download import cache_dir, download
from nncli.data.files.encoding import read_text
from nncli.data.files.paths import located
from nncli.data.split import Ordered
from nncli.data.text.encode import decode
from nncli.data.text.tokens import Goal, Tokenizer, cut, settled, stride_of, windows
from nncli.errors import DataError

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
MD5 = "6fb458f1232090904fb40fe944165e91"
FILE = "input.txt"


class Book(Data):
    """Windows (B, max_length) of one text; train is its beginning, followed by val and test.

    `pydoc` is the language reference that Python's `help()` shows, some 460,000 characters that differ a little from
    one version of Python to the next. `shakespeare` is Karpathy's 1.1 million characters.
    """

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "text"

    def __init__(
        self,
        name: Literal["pydoc", "shakespeare"],
        root: str | None,
        target: Goal,
        split: Ordered,
        tokenizer: Tokenizer,
        stride: Annotated[int, Ge(1)] | Literal["auto"],
        num_tokens: Annotated[int, Ge(3)] | Literal["auto"],
        **stated: Unpack[Stated],
    ) -> None:
        super().__init__(**stated)
        self.book: Literal["pydoc", "shakespeare"] = name
        self.target: Goal = target
        self.root = None if root is None else located("root", root)
        self.split, self.tokenizer, self.max_length, self.stride = split, tokenizer, tokenizer.max_length, stride
        self.num_tokens = num_tokens
        self._found: dict[str, Any] = {}

    def prepare_data(self) -> None:
        """Download a text that is neither cached nor part of Python."""
        if self.book == "shakespeare" and self.root is None:
            try:
                download(URL, cache_dir("shakespeare") / FILE, MD5)
            except DataError as problem:
                raise DataError(f"{problem}\nwith {FILE} at hand, say data.root=FOLDER: the one it is in") from problem

    def load(self) -> Parts:
        text = self._text()
        texts = cut(text, self.split.rows(len(text)))
        vocabulary = self.tokenizer.learn(self.facts, [texts["train"]], self.num_tokens)
        stride = stride_of(self.stride, self.max_length, self.target)
        size = vocabulary.size
        self._found = {"stride": stride, "input_shape": [self.max_length], "num_classes": size, "num_tokens": size}
        return windows(vocabulary, texts, self.max_length, stride, self.target)

    def inferred(self) -> dict[str, Any]:
        return settled(vars(self), self._found)

    def traits(self) -> dict[str, Any]:
        return {"samples": "passages", "targets": self.target}

    def samples(self) -> dict[str, Any]:
        return {"kind": "text", "max_length": None}

    def decode(self, encoded: Any) -> str:
        return decode(encoded, self.facts)

    def _text(self) -> str:
        if self.root is not None or self.book == "shakespeare":
            file = (self.root or cache_dir(self.book)) / FILE
            if not file.is_file():
                raise DataError(f"data.root is {self.root}, which has no file {FILE}")
            return read_text(file, "utf-8")[0]
        try:
            topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
        except ImportError as problem:
            raise DataError(
                "this Python came without the texts of its help (pydoc_data); set data=shakespeare"
            ) from problem
        return "\n".join(dict.fromkeys(topics[name] for name in sorted(topics)))  # each text once
