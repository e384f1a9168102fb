"""The correct spelling that a mistyped name most resembles."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

MOST = 1000  # names that are looked at


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The most similar of the names, if any is similar at all."""
    found = get_close_matches(name[:80], list(islice(names, MOST)), n=1, cutoff=0.6)
    return found[0] if found else None


def guess(name: str, names: Iterable[str]) -> str:
    """`Did you mean x? `, or nothing."""
    near = nearest(name, names)
    return f"Did you mean {near}? " if near else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names with commas; a long list is cut."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
