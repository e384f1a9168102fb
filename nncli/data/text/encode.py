"""Encode texts as tokens and decode them, from the vocabulary in the `facts` of a source alone."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from nncli.data.numbers import PAD, Samples, known
from nncli.data.text.vocabulary import Vocabulary
from nncli.errors import DataError


def encode(raw: str | Sequence[str], samples: Samples) -> np.ndarray:
    """A text as int64 (T,), truncated to `samples["max_length"]` tokens; several as (N, T), padded with 0.

    Without a `max_length` a text is a piece of a long one: no special tokens are added, and none is left out.
    """
    vocabulary = _vocabulary(known(samples, "tokenizer"))
    texts = list(raw) if isinstance(raw, Iterable) and not isinstance(raw, str) else [raw]
    if odd := [type(text).__name__ for text in texts if not isinstance(text, str)]:
        raise DataError(f"a sample must be a text; this one is of type {odd[0]}")
    if samples["max_length"] is not None:
        flat, lengths = vocabulary.encode(texts, samples["max_length"])
        found = np.full((len(texts), lengths.max(initial=0)), PAD, dtype=np.int64)
        found[np.arange(found.shape[1]) < lengths[:, None]] = flat
    else:
        pieces = [vocabulary.encode_long(text).astype(np.int64) for text in texts]
        if len({len(piece) for piece in pieces}) > 1:
            raise DataError(
                "stretches of a long text must have equally many tokens to be one batch; give them one by one"
            )
        found = np.stack(pieces)
    return found[0] if isinstance(raw, str) else found


def decode(tokens: Iterable[Any], samples: Samples) -> str:
    """The text of some tokens (T,). Blanks between words are lost."""
    return _vocabulary(known(samples, "tokenizer")).decode(tokens)


@lru_cache(maxsize=4)
def _vocabulary(text: str) -> Vocabulary:
    return Vocabulary.parse(text)
