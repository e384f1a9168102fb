"""References from one key to another, `${a.b}`: the only interpolation there is.

Resolvers such as `${oc.env:HOME}` are never evaluated, so nothing about the machine ends up in a run's folder.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nncli.errors import Fault

PLAIN = re.compile(r"\$\{(\.*[A-Za-z_]\w*(?:\.\w+|\[\w+\])*)\}")
MOST = 1_000_000  # characters that all references of a tree together may expand to
COST = 200  # characters that following one reference counts as, so that there are at most 5,000
DEEPEST = 20  # references that lead from one to the next
IMPURE: Fault = ("unsafe-reference", "only references to other keys, such as ${model.width}, are evaluated")
TOO_FAR: Fault = ("too-large", f"leads through more than {DEEPEST} references")


def impure(text: str) -> bool:
    """Whether a text holds anything that OmegaConf would evaluate beyond plain references."""
    return "${" in text and ("${" in PLAIN.sub(" ", text) or "\\${" in text)


def texts(value: Any) -> Iterator[str]:
    """Every text in a value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


def whole(value: Any) -> bool:
    """Whether a value is one reference and nothing else."""
    return isinstance(value, str) and PLAIN.fullmatch(value) is not None


def targets(value: Any, key: str) -> list[str]:
    """The full keys that the value at `key` refers to."""
    if not isinstance(value, str) or "${" not in value:
        return []
    return [_absolute(found, key) for found in PLAIN.findall(value)]


def _absolute(reference: str, key: str) -> str:
    path = re.sub(r"\[(\w+)\]", r".\1", reference)
    ups = len(path) - len(path.lstrip("."))
    if not ups:
        return path
    return ".".join([*key.split(".")[:-ups], path.lstrip(".")])


def children(value: Any) -> Iterator[tuple[str, Any]]:
    """A mapping's or a list's entries with their names; nothing for a leaf."""
    if isinstance(value, Mapping):
        yield from ((str(k), v) for k, v in value.items())
    elif isinstance(value, list):
        yield from ((str(i), v) for i, v in enumerate(value))


def leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every (dotted key, value) without further keys inside; empty mappings and lists count."""
    entries = list(children(value))
    if prefix and not entries:
        yield prefix, value
    for name, inner in entries:
        yield from leaves(inner, f"{prefix}.{name}" if prefix else name)


def around(key: str) -> Iterator[str]:
    """The key itself, then every key around it, from the inside out."""
    while key:
        yield key
        key = key.rpartition(".")[0]


class Missing(KeyError):
    """The key does not exist."""


def at(tree: Any, key: str) -> Any:
    """The value at a dotted key, references not followed."""
    for name in key.split("."):
        if isinstance(tree, Mapping) and name in tree:
            tree = tree[name]
        elif isinstance(tree, Sequence) and not isinstance(tree, str) and name.isdecimal() and int(name) < len(tree):
            tree = tree[int(name)]
        else:
            raise Missing(key)
    return tree


def stands(tree: Any, key: str) -> bool:
    """Whether there is such a key."""
    try:
        at(tree, key)
    except Missing:
        return False
    return True


def locate(tree: Any, key: str, hops: int = 0) -> str:
    """The key where a referenced value is set: references on the way, and at the end, are followed."""
    if hops > 2 * DEEPEST:
        raise Missing(key)
    names, value = key.split("."), tree
    for end, name in enumerate(names, 1):
        value = at(value, name)
        if whole(value):
            here = ".".join(names[:end])
            return locate(tree, ".".join([targets(value, here)[0], *names[end:]]), hops + 1)
    return key


def faults(tree: Mapping[str, Any]) -> dict[str, Fault]:
    """Each key whose references cannot be followed, and why. Bounded in time and depth for any tree."""
    walk = _Walk(tree)
    for name, value in tree.items():
        walk.visit(name, value, 0)
    return walk.found


class _Walk:
    """Follows every reference once, noting how much it expands to and how many references it leads through."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self.tree = tree
        self.found: dict[str, Fault] = {}
        self.known: dict[str, tuple[int, int]] = {}  # key -> (size, height) of its value, expanded
        self.open: set[str] = set()
        self.spent = 0

    def visit(self, key: str, value: Any, depth: int) -> tuple[int, int]:
        """(size, height) of a value; a fault cuts it off."""
        if key in self.known:
            return self.known[key]
        self.open.add(key)
        inner = [self.visit(f"{key}.{name}", one, depth + 1) for name, one in children(value)]
        size, height = 1 + sum(s for s, _ in inner), max((h for _, h in inner), default=0)
        if isinstance(value, str):
            size, height = len(value), 0
            if value == "???":
                self.found[key] = "missing-key", f"has no value yet; set one: {key}=…"
            elif impure(value):
                self.found[key] = IMPURE
            else:
                more, height = self._follow(key, value, depth)
                size += more
        self.open.discard(key)
        self.known[key] = size, height
        return size, height

    def _follow(self, key: str, value: str, depth: int) -> tuple[int, int]:
        size = height = 0
        for target in targets(value, key):
            try:
                place = locate_parent(self.tree, target)
                inner = at(self.tree, place)
            except Missing:
                return self._cut(key, ("unknown-reference", f"refers to {target}, which does not exist"))
            if place in self.open:
                return self._cut(key, ("circular-reference", f"refers to {target}, which leads back here"))
            if depth > 2 * DEEPEST:
                return self._cut(key, TOO_FAR)
            more, below = self.visit(place, inner, depth + 1)
            size, height = size + COST + more, max(height, below + 1)
        self.spent += size
        if height > DEEPEST:
            return self._cut(key, TOO_FAR)
        if self.spent > MOST:
            return self._cut(key, ("too-large", f"expands to more than {MOST:,} characters"))
        return size, height

    def _cut(self, key: str, fault: Fault) -> tuple[int, int]:
        self.found[key] = fault
        return 0, 0


def locate_parent(tree: Any, key: str) -> str:
    """The key with references on the way followed, but not one at its end."""
    head, dot, last = key.rpartition(".")
    return f"{locate(tree, head)}.{last}" if dot else key
