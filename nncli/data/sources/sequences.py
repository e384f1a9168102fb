"""Synthetic sequence tasks with a rule to learn. N samples, T tokens of a sample, A of its answer."""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge

from nncli.data.base import Data, Parts
from nncli.data.split import Shares
from nncli.data.text.symbols import DIGITS, PLUS, symbols, tokens
from nncli.errors import DataError

TRIES = 20  # how often further samples are drawn to replace duplicates


class Sequences(Data):
    """Tokens in, tokens out; no sample occurs twice, so no part contains samples of another.

    `copy` and `reverse` answer with the same symbols, or backwards; `addition` with the digits of the sum of two
    numbers of `length` digits, as in 0 7 + 1 5 = 0 2 2. The answers (N, A) are tokens: for sequence-to-sequence nets.
    """

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "text"

    def __init__(
        self,
        split: Shares,
        batch_size: Annotated[int, Ge(1)],
        rule: Literal["copy", "reverse", "addition"],
        size: Annotated[int, Ge(10)],
        length: Annotated[int, Ge(1)],
        input_shape: list[int] | Literal["auto"],
        num_tokens: Annotated[int, Ge(3)],
        num_classes: Annotated[int, Ge(3)],
    ) -> None:
        super().__init__(batch_size, input_shape, num_classes)
        self.rule: Literal["copy", "reverse", "addition"] = rule
        self.size, self.length, self.num_tokens = size, length, num_tokens
        self.split = split

    def load(self) -> Parts:
        if self.num_classes != self.num_tokens:
            raise DataError(
                f"data.num_classes is {self.num_classes}; answers have all {self.num_tokens} data.num_tokens"
            )
        if self.rule == "addition":
            if self.num_tokens != PLUS + 1:
                raise DataError(f"data.num_tokens is {self.num_tokens}; addition has {PLUS + 1}: PAD, ten digits, plus")
            x, y = self._sums()
        else:
            x = self._distinct(self.length, self.num_tokens - 1)
            y = x[:, ::-1].copy() if self.rule == "reverse" else x
        inputs, answers = (torch.from_numpy(tokens(some, self.num_tokens)) for some in (x, y))
        order = torch.zeros(len(x))  # nothing to stratify
        rows = self.split.parts(torch.arange(len(x)), order)
        return {name: (inputs[which], answers[which]) for name, (which, _) in rows.items()}

    def samples(self) -> dict[str, Any]:
        return {"kind": "symbols", "num_tokens": self.num_tokens}

    def decode(self, encoded: Any) -> str:
        """The symbols of some tokens: digits and the plus sign as text, others by number."""
        found = symbols(encoded)
        if self.rule == "addition":
            return "".join("+" if symbol == DIGITS else str(symbol) for symbol in found)
        return ("" if self.num_tokens <= DIGITS + 1 else " ").join(map(str, found))

    def _sums(self) -> tuple[np.ndarray, np.ndarray]:
        numbers = self._distinct(2 * self.length, DIGITS)
        first, second = numbers[:, : self.length], numbers[:, self.length :]
        answer = np.zeros((len(numbers), self.length + 1), dtype=np.int64)
        answer[:, 1:] = first + second
        for place in range(self.length, 0, -1):  # carry, from the last digit on
            answer[:, place - 1] += answer[:, place] // DIGITS
            answer[:, place] %= DIGITS
        plus = np.full((len(numbers), 1), DIGITS)
        return np.concatenate([first, plus, second], axis=1), answer

    def _distinct(self, length: int, symbols: int) -> np.ndarray:
        """`size` different rows (N, length) of numbers below `symbols`."""
        if symbols**length < self.size:
            raise DataError(f"data.size is {self.size}, but only {symbols**length} different samples exist; take fewer")
        generator = np.random.default_rng(self.split.seed)
        if symbols**length <= 4 * self.size:  # few more than needed: choose among all
            chosen = generator.permutation(symbols**length)[: self.size]
            return chosen[:, None] // symbols ** np.arange(length)[::-1] % symbols
        rows = np.empty((0, length), dtype=np.int64)
        for _ in range(TRIES):
            rows = np.concatenate([rows, generator.integers(0, symbols, (self.size - len(rows), length))])
            rows = rows[np.sort(np.unique(rows, axis=0, return_index=True)[1])]
            if len(rows) == self.size:
                break
        return rows


class Counting(Data):
    """The next number of an arithmetic sequence, as a class: 3 7 11 15 -> 19. All such sequences, each once.

    A number n is the token n + 1, and the class n.
    """

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "text"

    def __init__(
        self,
        split: Shares,
        batch_size: Annotated[int, Ge(1)],
        length: Annotated[int, Ge(2)],
        input_shape: list[int] | Literal["auto"],
        num_tokens: Annotated[int, Ge(5)],
        num_classes: Annotated[int, Ge(4)],
    ) -> None:
        super().__init__(batch_size, input_shape, num_classes)
        self.length, self.num_tokens, self.numbers = length, num_tokens, num_classes
        self.split = split

    def load(self) -> Parts:
        if self.num_tokens != self.numbers + 1:
            raise DataError(
                f"data.num_tokens is {self.num_tokens}; {self.numbers} numbers and the filling token make "
                f"data.num_tokens={self.numbers + 1}"
            )
        first, step = np.meshgrid(np.arange(self.numbers), np.arange(1, self.numbers), indexing="ij")
        fits = first + step * self.length < self.numbers
        if fits.sum() < 10:
            raise DataError(
                f"data.num_classes is {self.numbers}, too few numbers for sequences of data.length={self.length}; "
                f"take data.num_classes={8 * self.length} or more"
            )
        every = first[fits][:, None] + step[fits][:, None] * np.arange(self.length + 1)
        x, y = torch.from_numpy(tokens(every[:, :-1], self.num_tokens)), torch.from_numpy(every[:, -1])
        return self.split.parts(x, y)

    def samples(self) -> dict[str, Any]:
        return {"kind": "symbols", "num_tokens": self.num_tokens}

    def decode(self, encoded: Any) -> str:
        return " ".join(map(str, symbols(encoded)))
