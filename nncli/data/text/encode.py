"""Encode texts as tokens and decode them, from the vocabulary in the `facts` of a source alone."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from nncli.data.encode import known
from nncli.data.text.tokens import ragged
from nncli.data.text.vocabulary import Vocabulary
from nncli.errors import DataError


def encode(raw: str | Sequence[str], facts: Mapping[str, Any], max_length: int | None) -> Tensor:
    """A text as int64 (T,), truncated to `max_length` tokens; several as (N, T), padded with 0.

    Without a `max_length` a text is a piece of a long one: no special tokens are added, and none is left out.
    """
    vocabulary = _vocabulary(known(facts, "tokenizer"))
    texts = [raw] if isinstance(raw, str) else list(raw)
    if odd := next((text for text in texts if not isinstance(text, str)), None):
        raise DataError(f"a sample must be a text; this one is of type {type(odd).__name__}")
    if max_length is not None:
        found = ragged(vocabulary, texts, torch.zeros(len(texts)), max_length).span(0, len(texts))[0]
        return found[0] if isinstance(raw, str) else found
    pieces = [vocabulary.encode_long(text).long() for text in texts]
    if isinstance(raw, str):
        return pieces[0]
    if len({len(piece) for piece in pieces}) != 1:
        raise DataError("stretches of a long text must have equally many tokens to be one batch; give them one by one")
    return torch.stack(pieces)


def decode(tokens: Tensor | Sequence[int], facts: Mapping[str, Any]) -> str:
    """The text of some tokens (T,). Blanks between words are lost."""
    return _vocabulary(known(facts, "tokenizer")).decode(tokens.tolist() if isinstance(tokens, Tensor) else tokens)


@lru_cache(maxsize=4)
def _vocabulary(text: str) -> Vocabulary:
    return Vocabulary.parse(text)
