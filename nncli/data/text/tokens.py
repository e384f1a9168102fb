"""Texts as rows of token ids: one row per sample, or windows of a long text to continue."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, cast, get_args

import torch
from annotated_types import Ge
from torch import Tensor

from nncli.data.rows import Ragged, Windows
from nncli.data.text.pretrained_tokenizer import pretrained_tokenizer
from nncli.data.text.vocabulary import Kind, Vocabulary
from nncli.errors import DataError

Goal = Literal["next", "every"]  # predict the token after a window, or the next token at every step of it


class Tokenizer:
    """How texts become tokens: the kind of tokens, the size of the vocabulary, and the length of a sample."""

    def __init__(
        self,
        tokens: Kind | str,
        vocab_size: Annotated[int, Ge(3)] | None,
        min_count: Annotated[int, Ge(1)],
        lowercase: bool,
        max_length: Annotated[int, Ge(1)],
    ) -> None:
        self.tokens, self.vocab_size, self.min_count = tokens, vocab_size, min_count
        self.lowercase, self.max_length = lowercase, max_length

    def learn(self, facts: dict[str, Any], texts: Sequence[str], num_tokens: int | str | None) -> Vocabulary:
        """The vocabulary of the training texts, or of a model, stored in `facts`; one already there is used instead."""
        if "tokenizer" not in facts and self.tokens in get_args(Kind):
            kind = cast(Kind, self.tokens)
            learned = Vocabulary.learn(texts, kind, self.vocab_size, self.min_count, self.lowercase)
            facts["tokenizer"] = learned.json()
        elif "tokenizer" not in facts:
            facts["tokenizer"] = pretrained_tokenizer(self.tokens)
        vocabulary = Vocabulary.parse(facts["tokenizer"])
        if vocabulary.size == 2:
            raise DataError(
                f"data: no token comes {self.min_count} times in the training part; "
                "take a smaller data.tokenizer.min_count"
            )
        if num_tokens not in (None, "auto", vocabulary.size):
            raise DataError(
                f"data.num_tokens is {num_tokens}, the vocabulary has {vocabulary.size} tokens; "
                "set data.num_tokens=auto"
            )
        return vocabulary


class NextToken(Windows):
    """Windows of a text (B, L) whose target is the next token (B,)."""

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        x, y = super().take(rows)
        return x, y[:, 0]

    def to(self, device: torch.device) -> "NextToken":
        values, starts = self.values.to(device), self.starts.to(device)
        return NextToken(values, starts, self.length, offset=self.offset, ahead=self.ahead)


def ragged(vocabulary: Vocabulary, texts: Sequence[str], y: Tensor, max_length: int) -> Ragged:
    """A row for each text, truncated to `max_length` tokens."""
    flat, lengths = map(torch.from_numpy, vocabulary.encode(texts, max_length))
    return Ragged(flat, lengths.cumsum(0) - lengths, lengths, y)


def cut(text: str, rows: Mapping[str, Tensor]) -> dict[str, str]:
    """The parts of a long text."""
    return {name: text[int(at[0]) : int(at[-1]) + 1] if len(at) else "" for name, at in rows.items()}


def windows(
    vocabulary: Vocabulary, texts: Mapping[str, str], max_length: int, stride: int, goal: Goal
) -> dict[str, Windows]:
    """The windows of `max_length` tokens of each part, each `stride` tokens after the one before."""
    offset, ahead = (max_length, 1) if goal == "next" else (1, max_length)
    parts: dict[str, Windows] = {}
    for name, text in texts.items():
        ids = torch.from_numpy(vocabulary.encode_long(text))
        if len(ids) <= max_length:
            raise DataError(
                f"data: the {name} part is {len(ids)} tokens long, and a window takes data.tokenizer.max_length + 1 = "
                f"{max_length + 1}; take a shorter data.tokenizer.max_length or a longer text"
            )
        starts = torch.arange(0, len(ids) - max_length, stride)
        kind = NextToken if goal == "next" else Windows
        parts[name] = kind(ids, starts, max_length, offset=offset, ahead=ahead)
    return parts


def goal_of(target: str) -> Goal:
    """The target of a long text; with `auto` the next token."""
    if target not in ("auto", "next", "every"):
        raise DataError(f"data.target is {target}; of a long text it is next, or every (the next one at every step)")
    return "every" if target == "every" else "next"


def stride_of(stride: int | str, max_length: int, goal: Goal) -> int:
    """The stride; with `auto` every token is a target once."""
    if isinstance(stride, int):
        return stride
    return 1 if goal == "next" else max_length


def settled(given: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The detected values of the arguments that are `auto`."""
    return {name: value for name, value in found.items() if given[name] == "auto" and value != "auto"}
