"""Encode sequences of symbols, such as digits, as tokens: the symbol n is the token n + 1."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nncli.data.numbers import PAD, Samples, array, known, whole
from nncli.errors import DataError

DIGITS = 10
PLUS = DIGITS + 1  # the token of the plus sign


def encode(raw: Any, samples: Samples) -> np.ndarray:
    """Symbols by number, or as text such as 07+15 or 3 7 11; several of equal length are a batch."""
    count = known(samples, "num_tokens")
    if isinstance(raw, str):
        return tokens([_symbol(sign) for sign in (raw.split() if " " in raw else raw)], count)
    if isinstance(raw, Sequence) and any(isinstance(one, str) for one in raw):
        return tokens([[_symbol(sign) for sign in (one.split() if " " in one else one)] for one in raw], count)
    return tokens(raw, count)


def tokens(symbols: Any, count: int) -> np.ndarray:
    """Symbols (…, T) as tokens below `count`."""
    found = whole(array(symbols), np.dtype(np.int64)) + 1
    if found.size and not PAD < found.min() <= found.max() < count:
        given = f"{found.min() - 1} to {found.max() - 1}"
        raise DataError(f"the symbols of this data are 0 to {count - 2}; got {given}")
    return found


def symbols(encoded: Any) -> list[int]:
    """The symbols of some tokens, without padding."""
    return [int(token) - 1 for token in encoded if int(token) != PAD]


def _symbol(sign: str) -> int:
    if sign == "+":
        return DIGITS
    if not sign.isdecimal():
        raise DataError(f"'{sign}' is no digit; other symbols are given by number, in a list")
    return int(sign)
