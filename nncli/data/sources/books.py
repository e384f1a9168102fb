"""Long texts to be continued: one that every Python brings along, and one that is fetched."""

import importlib
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Interval
from torch import Tensor

from nncli.data.base import Classes, Data, Parts, Shape
from nncli.data.files.download import cache_dir, download
from nncli.data.files.encoding import read_text
from nncli.data.files.paths import located
from nncli.data.text.encode import decode, encode
from nncli.data.text.tokens import Goal, choices, cut, learn, settled, stride_of, windows
from nncli.data.text.vocabulary import Kind
from nncli.errors import DataError

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
MD5 = "6fb458f1232090904fb40fe944165e91"
FILE = "input.txt"


class Book(Data):
    """Windows (B, max_length) of one text; train is its beginning, then come val and test.

    `pydoc` is the language reference that Python's `help()` shows, some 460,000 characters that differ a little from
    one version of Python to the next. `shakespeare` is Karpathy's 1.1 million characters.
    """

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "text"

    def __init__(
        self,
        name: Literal["pydoc", "shakespeare"],
        root: str | None,
        target: Goal,
        tokens: Kind,
        vocab_size: Annotated[int, Ge(3)] | None,
        min_count: Annotated[int, Ge(1)],
        lowercase: bool,
        max_length: Annotated[int, Ge(1)],
        stride: Annotated[int, Ge(1)] | Literal["auto"],
        val_fraction: Annotated[float, Interval(gt=0, lt=1)],
        test_fraction: Annotated[float, Interval(gt=0, lt=1)],
        batch_size: Annotated[int, Ge(1)],
        split_seed: Annotated[int, Ge(0)],
        input_shape: Shape,
        num_classes: Classes,
        num_tokens: Annotated[int, Ge(3)] | Literal["auto"],
    ) -> None:
        super().__init__(batch_size, split_seed, input_shape, num_classes)
        self.book: Literal["pydoc", "shakespeare"] = name
        self.target: Goal = target
        self.root = None if root is None else located("root", root)
        self.tokens: Kind = tokens
        self.vocab_size, self.min_count, self.lowercase = vocab_size, min_count, lowercase
        self.max_length, self.stride = max_length, stride
        self.val_fraction, self.test_fraction = val_fraction, test_fraction
        self.num_tokens = num_tokens
        self._found: dict[str, Any] = {}

    def prepare_data(self) -> None:
        """Fetch what is neither here nor part of Python."""
        if self.book == "shakespeare" and self.root is None:
            try:
                download(URL, cache_dir("shakespeare") / FILE, MD5)
            except DataError as problem:
                raise DataError(f"{problem}\nwith {FILE} at hand, say data.root=FOLDER: the one it is in") from problem

    def load(self) -> Parts:
        texts = cut(self._text(), self.val_fraction, self.test_fraction, None)
        vocabulary = learn(
            self.facts,
            [texts["train"]],
            tokens=self.tokens,
            vocab_size=self.vocab_size,
            min_count=self.min_count,
            lowercase=self.lowercase,
            num_tokens=self.num_tokens,
        )
        stride = stride_of(self.stride, self.max_length, self.target)
        size = vocabulary.size
        self._found = {"stride": stride, "input_shape": [self.max_length], "num_classes": size, "num_tokens": size}
        return windows(vocabulary, texts, self.max_length, stride, self.target)

    def inferred(self) -> dict[str, Any]:
        return settled(vars(self), self._found)

    def suits(self) -> dict[str, str]:
        return choices(self.target)

    def encode(self, raw: Any) -> Tensor:
        return encode(raw, self.facts, None)

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
                "this Python came without the texts of its help (pydoc_data); take data=shakespeare"
            ) from problem
        return "\n".join(dict.fromkeys(topics[name] for name in sorted(topics)))  # each text once
