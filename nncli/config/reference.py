"""References from one key to another, `${a.b}`: the only interpolation there is.

Resolvers such as `${oc.env:HOME}` are never evaluated, so nothing of the machine ends up in a run's folder.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PLAIN = re.compile(r"\$\{(\.*[A-Za-z_]\w*(?:\.\w+|\[\w+\])*)\}")
MOST = 1_000_000  # characters that all references of a tree together may unfold to
COST = 200  # characters that following one reference counts as, so that there are at most 5,000
DEEPEST = 30  # references and keys on the way from one to another


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
    """Every (dotted key, value) that holds no further keys; empty mappings and lists count."""
    entries = list(children(value))
    if prefix and not entries:
        yield prefix, value
    for name, inner in entries:
        yield from leaves(inner, f"{prefix}.{name}" if prefix else name)


class Missing(KeyError):
    """There is no such key."""


def at(tree: Any, key: str) -> Any:
    """The value at a dotted key, as it stands."""
    for name in key.split("."):
        if isinstance(tree, Mapping) and name in tree:
            tree = tree[name]
        elif isinstance(tree, Sequence) and not isinstance(tree, str) and name.isdecimal() and int(name) < len(tree):
            tree = tree[int(name)]
        else:
            raise Missing(key)
    return tree


def locate(tree: Any, key: str, hops: int = 0) -> str:
    """The key where a referred value really stands: references on the way, and at the end, are followed."""
    if hops > DEEPEST:
        raise Missing(key)
    names = key.split(".")
    for end in range(1, len(names) + 1):
        here = ".".join(names[:end])
        value = at(tree, here)
        if whole(value):
            return locate(tree, ".".join([targets(value, here)[0], *names[end:]]), hops + 1)
    return key


def faults(tree: Mapping[str, Any]) -> dict[str, str]:
    """Each key whose references cannot be followed, and why. Bounded in time and depth for any tree."""
    found: dict[str, str] = {}
    sizes: dict[str, int] = {}
    open_: set[str] = set()
    spent = 0

    def visit(key: str, value: Any, depth: int) -> int:
        """How much the value unfolds to; 0 where a fault cuts it off."""
        if key in sizes:
            return sizes[key]
        open_.add(key)
        size = 1 + sum(visit(f"{key}.{name}", inner, depth + 1) for name, inner in children(value))
        if isinstance(value, str):
            size += len(value) + follow(key, value, depth)
        open_.discard(key)
        sizes[key] = size
        return size

    def follow(key: str, value: str, depth: int) -> int:
        if value == "???":
            found[key] = f"has no value yet; give it one: {key}=…"
            return 0
        if impure(value):
            found[key] = "only references to other keys, such as ${model.width}, are read; nothing else is looked up"
            return 0
        size = 0
        for target in targets(value, key):
            try:
                place = locate_parent(tree, target)
                inner = at(tree, place)
            except Missing:
                found[key] = f"refers to {target}, which does not exist"
                return 0
            if place in open_ or depth > DEEPEST:
                found[key] = f"refers to {target}, which leads back here" if place in open_ else "refers on and on"
                return 0
            size += COST + visit(place, inner, depth + 1)
        nonlocal spent
        spent += size
        if spent > MOST:
            found[key] = f"unfolds to more than {MOST:,} characters"
            return 0
        return size

    for name, value in tree.items():
        visit(name, value, 0)
    return found


def locate_parent(tree: Any, key: str) -> str:
    """The key with references on the way followed, but not one at its end."""
    head, dot, last = key.rpartition(".")
    return f"{locate(tree, head)}.{last}" if dot else key
