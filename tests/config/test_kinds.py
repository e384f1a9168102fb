"""Annotations as a fence for plain values."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional

import pytest
from annotated_types import Ge, Interval, MinLen
from torch import nn

from nncli.config.annotations import Built, accepts, phrase

FITS: list[tuple[Any, Any]] = [
    (1, int),
    (1, float),
    (None, int | None),
    ("x", str),
    (True, bool),
    (32, Literal["auto", "32"]),
    ([1, 2], list[int]),
    ([0.9, 1], tuple[float, float]),
    ([], list[nn.Module]),
    ({"a": 1}, dict[str, int]),
    (3, Annotated[int, Ge(1)]),
    ([1], Annotated[list[int], MinLen(1)]),
    (Built(nn.ReLU), nn.Module),
    ([Built(nn.ReLU)], list[nn.Module]),
    (Built(nn.ReLU, partial=True), Callable[..., nn.Module]),
    (Built(nn.ReLU), Any),
    (print, Any),
]
MISFITS: list[tuple[Any, Any]] = [
    (True, int),
    (1, bool),
    (1.0, int),
    ("1", int),
    ("1", float),
    (True, float),
    (1, str),
    (None, int),
    (True, Literal["True"]),
    ("x", Literal["auto", "32"]),
    ([1, "x"], list[int]),
    ("ab", list[str]),
    ([0.9], tuple[float, float]),
    (0, Annotated[int, Ge(1)]),
    (1.0, Annotated[float, Interval(ge=0, lt=1)]),
    ([], Annotated[list[int], MinLen(1)]),
    (Built(nn.ReLU), int),
    (Built(nn.ReLU, partial=True), nn.Module),
    (5, nn.Module),
    (5, Callable[..., nn.Module]),
]


@pytest.mark.parametrize(("value", "hint"), FITS, ids=str)
def test_what_fits_is_accepted(value: Any, hint: Any) -> None:
    assert accepts(value, hint)


@pytest.mark.parametrize(("value", "hint"), MISFITS, ids=str)
def test_what_does_not_fit_is_refused(value: Any, hint: Any) -> None:
    assert not accepts(value, hint)


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (Annotated[int, Ge(1)], "a whole number, 1 or more"),
        (
            Optional[Annotated[float, Interval(ge=0, le=1)]],  # noqa: UP045 pyright reads `|` here as arithmetic
            "a number, 0 to 1 or null",
        ),
        (Literal["auto", "32"], "one of auto, 32"),
        (list[int], "a list, each item a whole number"),
        (nn.Module, "a section with a _target_ that builds a Module"),
        (bool, "true or false"),
    ],
)
def test_what_is_allowed_is_said_in_plain_words(hint: Any, text: str) -> None:
    assert phrase(hint) == text
