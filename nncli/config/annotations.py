"""Annotations as checks of plain values: whether a value fits, and what would, in plain words."""

import collections.abc
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", types.NoneType: "null"}
_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
_MAPS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


@dataclass(frozen=True)
class Built:
    """In place of a nested target: what will be built there. `cls` is None where the target itself is wrong."""

    cls: type | None
    partial: bool = False


def accepts(value: Any, hint: Any) -> bool:
    """Whether a value fits an annotation. What the annotation does not restrict is accepted."""
    if hint is Any:
        return True
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return accepts(value, inner[0]) and all(_within(value, bound) for bound in inner[1:])
    if origin is Literal:
        return any(_same(value, choice) for choice in inner)
    if origin in (Union, types.UnionType):
        return any(accepts(value, one) for one in inner)
    if isinstance(value, Built):
        return _accepts_built(value, hint, origin)
    if origin in _LISTS or hint in _LISTS:
        return isinstance(value, list | tuple) and _accepts_items(value, origin or hint, inner)
    if origin in _MAPS or hint in _MAPS:
        return isinstance(value, dict) and (not inner or all(accepts(v, inner[1]) for v in value.values()))
    if origin is collections.abc.Callable or hint in (Callable, collections.abc.Callable):
        return False
    return _accepts_plain(value, hint)


def _accepts_plain(value: Any, hint: Any) -> bool:
    if hint is None or hint is types.NoneType:
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is str or hint is Path:
        return isinstance(value, str)
    # any other class can only be built; anything that is not a class (Any, a TypeVar, a name) restricts nothing
    return not isinstance(hint, type) or hint is object or isinstance(value, hint)


def _accepts_built(value: Built, hint: Any, origin: Any) -> bool:
    if value.cls is None:
        return True
    if value.partial:
        return not isinstance(hint, type) or hint is object or origin is collections.abc.Callable
    if origin is collections.abc.Callable or hint in (Callable, collections.abc.Callable):
        return hasattr(value.cls, "forward")  # an nn.Module can be called
    of = origin if isinstance(origin, type) else hint
    return not isinstance(of, type) or issubclass(value.cls, of)


def takes_parts(hint: Any) -> bool:
    """Whether a built object could fit an annotation; numbers, texts and lists of them are not built."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return takes_parts(inner[0])
    if origin is Literal:
        return False
    if inner and origin is not collections.abc.Callable:
        return any(takes_parts(one) for one in inner if one is not Ellipsis)
    return hint not in (*_WORDS, *_LISTS, *_MAPS, Path, None)


def _accepts_items(value: Iterable[Any], origin: Any, inner: tuple[Any, ...]) -> bool:
    items = list(value)
    if not inner:
        return True
    if origin is tuple and inner[-1] is not Ellipsis:
        return len(items) == len(inner) and all(accepts(v, h) for v, h in zip(items, inner, strict=True))
    return all(accepts(item, inner[0]) for item in items)


def _same(value: Any, choice: Any) -> bool:
    """A choice that is text may be typed as the number it looks like: precision=32."""
    if isinstance(value, bool) or isinstance(choice, bool):
        return value is choice
    return value == choice or (isinstance(choice, str) and isinstance(value, int) and str(value) == choice)


def _within(value: Any, bound: Any) -> bool:
    """Whether a value is within one bound of `annotated_types`."""
    if value is None:
        return True
    low, high = getattr(bound, "min_length", None), getattr(bound, "max_length", None)
    try:
        return (
            _holds(bound, "ge", lambda limit: value >= limit)
            and _holds(bound, "gt", lambda limit: value > limit)
            and _holds(bound, "le", lambda limit: value <= limit)
            and _holds(bound, "lt", lambda limit: value < limit)
            and _holds(bound, "multiple_of", lambda step: value % step == 0)
            and (low is None or len(value) >= low)
            and (high is None or len(value) <= high)
        )
    except TypeError:
        return False


def _holds(bound: Any, name: str, test: Callable[[Any], bool]) -> bool:
    limit = getattr(bound, name, None)
    return limit is None or test(limit)


def phrase(hint: Any) -> str:
    """What an annotation allows: `a whole number, 1 or more`."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        bounds = ", ".join(filter(None, (_bound(b) for b in inner[1:])))
        return f"{phrase(inner[0])}, {bounds}" if bounds else phrase(inner[0])
    if origin is Literal:
        choices = ", ".join("null" if c is None else str(c).lower() if c is True else str(c) for c in inner)
        return f"one of {choices}" if len(inner) > 1 else choices
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(phrase(one) for one in inner))
    if origin in _LISTS or hint in _LISTS:
        return _list_phrase(origin or hint, inner)
    if origin in _MAPS or hint in _MAPS:
        return f"keys, each with {phrase(inner[1])}" if len(inner) == 2 and inner[1] is not Any else "keys and values"
    if origin is collections.abc.Callable:
        partial = " and _partial_: true" if inner and isinstance(inner[-1], type) else ""
        return f"a section with a _target_{partial}"
    if hint in _WORDS or hint is None:
        return _WORDS[types.NoneType if hint is None else hint]
    if hint is Path:
        return "a path"
    is_class = isinstance(hint, type) and hint is not object
    return f"a section with a _target_ that builds {_article(hint.__name__)}" if is_class else "a value"


def _list_phrase(origin: Any, inner: tuple[Any, ...]) -> str:
    if not inner or inner[0] is Any:
        return "a list"
    if origin is tuple and inner[-1] is not Ellipsis:
        return f"a list of {len(inner)}: " + ", ".join(phrase(one) for one in inner)
    return f"a list, each item {phrase(inner[0])}"


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _bound(bound: Any) -> str:
    low, high, above, below = (getattr(bound, name, None) for name in ("ge", "le", "gt", "lt"))
    short, long = getattr(bound, "min_length", None), getattr(bound, "max_length", None)
    said = []
    if low is not None and high is not None:
        said.append(f"{low} to {high}")
    elif low is not None:
        said.append(f"{low} or more")
    elif high is not None:
        said.append(f"{high} or less")
    said += [f"above {above}"] if above is not None else []
    said += [f"below {below}"] if below is not None else []
    said += [f"a multiple of {bound.multiple_of}"] if getattr(bound, "multiple_of", None) is not None else []
    said += [f"of length {short} or more"] if short else []
    said += [f"of length {long} or less"] if long is not None else []
    return ", ".join(said)


def of_default(default: Any) -> Any:
    """The annotation that a parameter without one has by its default: only numbers and truth values."""
    if isinstance(default, bool):
        return bool
    return float if isinstance(default, int | float) and default is not Parameter.empty else Any
