"""Typed values applied to a tree one by one; every word that fits nowhere is reported with the nearest key."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from nncli.config import search_path
from nncli.config.nearest import listed, nearest
from nncli.config.older import LEFT_OUT, RENAMED
from nncli.config.origin import Origin, forget, source, spelled
from nncli.config.reference import Missing, at, children, stands, whole
from nncli.config.slots import FIRST, is_net
from nncli.config.words import TYPED, shown
from nncli.errors import SHOWN, Fault, Problem


class Values:
    """Value words applied one by one to a tree; problems are collected."""

    def __init__(self, tree: dict[str, Any], origins: dict[str, Origin], among: Sequence[Path]) -> None:
        self.tree, self.origins, self.among = tree, origins, among
        self.problems: list[Problem] = []

    def apply(self, override: Override) -> None:
        key, value, line = override.key_or_group, override.value(), override.input_line or ""
        if override.is_delete():
            fault = self._delete(key, value)
        else:
            adding = override.is_add() or override.is_force_add()
            fault = self._set(key, value, line, adding=adding, over=override.is_force_add())
        if fault:
            self.problems.append(Problem(key, shown(value), TYPED, *fault))

    def _set(self, key: str, value: Any, line: str, *, adding: bool, over: bool = False) -> Fault | None:
        if not all(key.split(".")):
            return "invalid-override", "a key consists of names separated by dots, for example model.width"
        try:
            here = at(self.tree, key)
        except Missing:
            return self._put(key, value, line) if adding or self._open(key) else self._unknown(key, value)
        if isinstance(value, Mapping) and isinstance(here, Mapping):
            faults = [self._set(f"{key}.{name}", v, line, adding=adding, over=over) for name, v in value.items()]
            return next(filter(None, faults), None)
        if isinstance(here, Mapping) and not over and here:
            inner = next((name for name in here if not name.startswith("_")), next(iter(here)))
            return "not-a-value", f"is a section; set one of its keys, for example {key}.{inner}=…"
        if adding and not over:
            return "duplicate", f"already exists; change it with {key}=… without the plus"
        return self._put(key, value, line)

    def _open(self, key: str) -> bool:
        """Whether a key that is not in the tree may be set: the data fills its section (data.columns.age where columns
        is auto), every net has it, or it is an argument of a class that was typed, which check() knows."""
        parent, _, last = key.rpartition(".")
        try:
            here = at(self.tree, parent)
        except Missing:
            return False
        filled = parent.startswith("data.") and here == "auto"
        target = self.origins.get(f"{parent}._target_")
        return (
            filled
            or (target is not None and target.kind == "word")
            or (last == FIRST and is_net(parent) and isinstance(here, Mapping) and "_target_" in here)
        )

    def _put(self, key: str, value: Any, line: str) -> Fault | None:
        node: Any = self.tree
        *path, last = key.split(".")
        for depth, name in enumerate(path):
            if isinstance(node, dict):
                if name not in node:
                    self.origins[".".join(path[: depth + 1])] = Origin("word", None, 0, line)
                inner = node.setdefault(name, {})
            elif isinstance(node, list) and name.isdecimal() and int(name) < len(node):
                inner = node[int(name)]
            else:
                inner = None
            if inner == "auto" and self._open(key):
                inner = node[name] = {}
            if not isinstance(inner, dict | list):
                return _through(inner, ".".join(path[: depth + 1]), ".".join([*path[depth + 1 :], last]))
            node = inner
        if isinstance(node, list):
            if not last.isdecimal() or int(last) >= len(node):
                return "unknown-key", "has no such item; items are counted from 0. To add one, type the whole list"
            forget(self.origins, key, node[int(last)])
            node[int(last)] = _plain(value)
        else:
            forget(self.origins, key, node.get(last))
            node[last] = _plain(value)
        self._note(key, value, line)
        return None

    def _note(self, key: str, value: Any, line: str) -> None:
        before = self.origins.get(key)
        self.origins[key] = Origin("word", None, 0, line, before.comment if before else "", before)
        for name, inner in children(value):
            self._note(f"{key}.{name}", inner, line)

    def _delete(self, key: str, value: Any) -> Fault | None:
        try:
            here = at(self.tree, key)
        except Missing:
            return self._unknown(key, None)
        if value not in (None, "") and value != here:
            return "cannot-remove", f"is {spelled(here)}, not {spelled(value)}, so it was not removed"
        path, _, last = key.rpartition(".")
        node = at(self.tree, path) if path else self.tree
        if isinstance(node, list):
            return "cannot-remove", "a single item of a list cannot be removed; type the whole list"
        del node[last]
        forget(self.origins, key, here)
        self.origins.pop(key, None)
        return None

    def _unknown(self, key: str, value: Any) -> Fault:
        """The nearest key that exists, and what its section takes."""
        if len(self.problems) >= SHOWN:
            return "unknown-key", "no such key"  # nobody will see a hint, and each is a search of its own
        path, _, last = key.rpartition(".")
        if not path:
            return self._unknown_root(key, value)
        try:
            node = at(self.tree, path)
        except Missing:
            root = key.partition(".")[0]
            near = None if root in self.tree else nearest(root, self.tree)
            if near:
                return "unknown-key", f"no such key. Did you mean {key.replace(root, near, 1)}?"
            return self._unknown(path, None)
        if not isinstance(node, Mapping):
            return _through(node, path, last)
        near = nearest(last, node)
        hint = LEFT_OUT.get(key, f"Did you mean {path}.{near}? " if near else "")
        if (now := RENAMED.get(key)) and stands(self.tree, now):
            hint, near = f"Did you mean {now}? ", now.removeprefix(f"{path}.")
        takes = f"{path} takes: {listed(name for name in node if not name.startswith('_'))}"
        origin = source(self.origins, f"{path}.{near}") if near else source(self.origins, f"{path}._target_")
        place = (origin and origin.from_file) or None
        return "unknown-key", f"no such key. {hint}{takes}" + (f"   ({place.where})" if place else "")

    def _unknown_root(self, key: str, value: Any) -> Fault:
        groups = search_path.groups(self.among)
        near = nearest(key, [*groups, *self.tree])
        if not near and (deep := [name for name in self.origins if name.endswith(f".{key}")]):
            return "unknown-key", f"no such key. Did you mean {deep[0]}={shown(value)}?"
        if not near:
            return "unknown-key", f"no such key. The groups of choices are: {listed(groups, 20)}"
        text = "" if value is None else f"={shown(value)}"
        return "unknown-key", f"no such key. Did you mean {near}{text}?"


def _plain(value: Any) -> Any:
    """A word's value with text keys, a copy of its own."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _through(value: Any, path: str, rest: str) -> Fault:
    if whole(value):
        return "not-a-section", f"{path} is {value}; set {value[2:-1]}.{rest} instead"
    return "not-a-section", f"{path} is {spelled(value)} and has no keys of its own"
