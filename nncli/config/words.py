"""What a person types, as choices and values; and values applied to a tree, every bad word told."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from nncli.config import shelf
from nncli.config.nearest import guess, listed, nearest
from nncli.config.origin import Origin, forget, source, spelled
from nncli.config.reference import IMPURE, Missing, at, children, impure, texts, whole
from nncli.config.slots import FIRST, is_net
from nncli.errors import Problem

LONGEST = 10_000  # characters of a word
DEEPEST = 20  # brackets, or keys, inside each other
TYPED = "you typed it"


@dataclass
class Words:
    """The parsed words of one command line."""

    recipe: str | None = None
    overrides: list[Override] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, word: str, text: str) -> None:
        key, _, value = word.partition("=")
        self.problems.append(Problem(key[:200], value[:200], TYPED, text))


def parse(words: Sequence[str]) -> Words:
    """`recipe=` taken out, every other word parsed by Hydra's grammar; what is no word of ours is a problem."""
    found = Words()
    parser = OverridesParser.create()
    for word in words:
        if word.startswith("recipe="):
            if found.recipe is not None:
                found.refuse(word, "one recipe; an earlier word names another")
            found.recipe = word.removeprefix("recipe=")
        elif text := _form(word):
            found.refuse(word, text)
        else:
            try:
                override = parser.parse_override(word)
            except (HydraException, RecursionError, ValueError, OverflowError):
                found.refuse(word, _quoting(word))
                continue
            if text := _meaning(override):
                found.refuse(word, text)
            else:
                found.overrides.append(override)
    return found


def _form(word: str) -> str:
    """Why a word cannot be read at all."""
    key = word.partition("=")[0].lstrip("+~")
    if len(word) > LONGEST:
        return f"a word has at most {LONGEST:,} characters"
    if any((c < " " and c not in "\t\n") or "\ud800" <= c <= "\udfff" for c in word):
        return "holds characters that are no text"
    if word.count("[") + word.count("{") + word.count("(") > DEEPEST and _depth(word) > DEEPEST:
        return f"brackets more than {DEEPEST} deep"
    if key.count(".") > DEEPEST:
        return f"a key has at most {DEEPEST} dots"
    if "=" not in word and not word.startswith("~"):
        if word in shelf.recipes():
            return f"a word is key=value. Did you mean recipe={word}?"
        return "a word is key=value, for example optimizer.lr=0.01"
    if key == "hydra" or key.startswith(("hydra.", "hydra/", "hydra@")) or "@hydra" in key:
        return "Hydra's own settings cannot be changed"
    return ""


def _depth(word: str) -> int:
    deepest = depth = 0
    for c in word:
        depth += (c in "[{(") - (c in "]})")
        deepest = max(deepest, depth)
    return deepest


def _quoting(word: str) -> str:
    key, _, value = word.partition("=")
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    if not key.strip("+~") or any(c in key for c in " \t\n'\"[]{}()"):
        return "a word is key=value, for example optimizer.lr=0.01"
    return f"cannot be read. Text with spaces, commas or brackets stands in two kinds of quotes: '{key}=\"{quoted}\"'"


def _meaning(override: Override) -> str:
    """Why a word that Hydra can read is not accepted."""
    if override.is_sweep_override():
        return "one value; several are for nn sweep"
    if any(impure(text) for text in texts([override.key_or_group, override.package or "", override.value()])):
        return IMPURE
    if any(_unfit(text) for text in texts(override.value())):
        return "holds characters that are no text"
    return ""


def _unfit(text: str) -> bool:
    return any((c < " " and c not in "\t\n") or "\x7f" <= c <= "\x9f" for c in text)


def split(overrides: Sequence[Override], among: Sequence[Path]) -> tuple[list[Override], list[Override], list[Problem]]:
    """(group choices that exist, value words, problems of choices that do not)."""
    choices: dict[str, Override] = {}
    values: list[Override] = []
    problems: list[Problem] = []
    for override in overrides:
        group, value = override.key_or_group, override.value()
        there = shelf.options(group, among) if "." not in group else []
        is_choice = override.package is not None or "/" in group or (there and not isinstance(value, dict))
        if not is_choice:
            values.append(override)
            continue
        text = _bad_choice(override, group, there, among)
        key = override.get_key_element().lstrip("+~")
        if not text and key in choices:
            text = f"chosen twice; another word says {choices[key].input_line}"
        if text:
            problems.append(Problem(key, _shown(value), TYPED, text))
        else:
            choices[key] = override
    return list(choices.values()), values, problems


def _bad_choice(override: Override, group: str, there: Sequence[str], among: Sequence[Path]) -> str:
    value = override.value()
    if not there:
        near = nearest(group, shelf.groups(among))
        return f"no such choice. Did you mean {near}={_shown(value)}?" if near else "no such choice"
    if override.is_delete() and value in (None, ""):
        return ""
    if override.is_force_add():
        return f"a choice is made with {group}=… or added with +{group}=…"
    named = value if isinstance(value, list) else [value]
    wrong = [v for v in named if not isinstance(v, str) or (v not in there and not shelf.find(f"{group}/{v}", among))]
    if wrong or not named:
        bad = _shown(wrong[0]) if wrong else ""
        return f"no such {group}. {guess(bad, there)}There are: {listed(there)}"
    return ""


def _shown(value: Any) -> str:
    return "" if value is None else spelled(value)[:200]


class Values:
    """Value words applied one by one to a tree; problems are collected."""

    def __init__(self, tree: dict[str, Any], origins: dict[str, Origin], among: Sequence[Path]) -> None:
        self.tree, self.origins, self.among = tree, origins, among
        self.problems: list[Problem] = []

    def apply(self, override: Override) -> None:
        key, value, line = override.key_or_group, override.value(), override.input_line or ""
        if override.is_delete():
            text = self._delete(key, value)
        else:
            adding = override.is_add() or override.is_force_add()
            text = self._set(key, value, line, adding=adding, over=override.is_force_add())
        if text:
            self.problems.append(Problem(key, _shown(value), TYPED, text))

    def _set(self, key: str, value: Any, line: str, *, adding: bool, over: bool = False) -> str:
        if not all(key.split(".")):
            return "a key is names with dots between them, for example model.width"
        try:
            here = at(self.tree, key)
        except Missing:
            return self._put(key, value, line) if adding or self._open(key) else self._unknown(key, value)
        if isinstance(value, Mapping) and isinstance(here, Mapping):
            told = [self._set(f"{key}.{name}", v, line, adding=adding, over=over) for name, v in value.items()]
            return next(filter(None, told), "")
        if isinstance(here, Mapping) and not over and here:
            inner = next(iter(here))
            return f"is a section; set one of its keys, for example {key}.{inner}=…"
        if adding and not over:
            return f"is there already; change it with {key}=… without the plus"
        return self._put(key, value, line)

    def _open(self, key: str) -> bool:
        """Whether the key lies in what the data fills (data.columns.age where columns is auto), or is any net's."""
        parent, _, last = key.rpartition(".")
        try:
            here = at(self.tree, parent)
        except Missing:
            return False
        filled = parent.startswith("data.") and here == "auto"
        return filled or (last == FIRST and is_net(parent) and isinstance(here, Mapping) and "_target_" in here)

    def _put(self, key: str, value: Any, line: str) -> str:
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
                return "a list's items are counted from 0; write the whole list in brackets to make it longer"
            node[int(last)] = _plain(value)
        else:
            node[last] = _plain(value)
        self._note(key, value, line)
        return ""

    def _note(self, key: str, value: Any, line: str) -> None:
        before = self.origins.get(key)
        forget(self.origins, key)
        self.origins[key] = Origin("word", None, 0, line, before.comment if before else "", before)
        for name, inner in children(value):
            self._note(f"{key}.{name}", inner, line)

    def _delete(self, key: str, value: Any) -> str:
        try:
            here = at(self.tree, key)
        except Missing:
            return self._unknown(key, None)
        if value not in (None, "") and value != here:
            return f"is {spelled(here)}, not {spelled(value)}, so it was not taken away"
        path, _, last = key.rpartition(".")
        node = at(self.tree, path) if path else self.tree
        if isinstance(node, list):
            return "one item of a list cannot be taken away; write the whole list"
        del node[last]
        forget(self.origins, key)
        self.origins.pop(key, None)
        return ""

    def _unknown(self, key: str, value: Any) -> str:
        """The nearest key there is, and what its section takes."""
        path, _, last = key.rpartition(".")
        if not path:
            return self._unknown_root(key, value)
        try:
            node = at(self.tree, path)
        except Missing:
            root = key.partition(".")[0]
            near = None if root in self.tree else nearest(root, self.tree)
            if near:
                return f"no such key. Did you mean {key.replace(root, near, 1)}?"
            return self._unknown(path, None)
        if not isinstance(node, Mapping):
            return _through(node, path, last)
        near = nearest(last, node)
        hint = f"Did you mean {path}.{near}? " if near else ""
        takes = f"{path} takes: {listed(name for name in node if not name.startswith('_'))}"
        origin = source(self.origins, f"{path}.{near}") if near else source(self.origins, f"{path}._target_")
        place = (origin and origin.from_file) or None
        return f"no such key. {hint}{takes}" + (f"   ({place.where})" if place else "")

    def _unknown_root(self, key: str, value: Any) -> str:
        groups = shelf.groups(self.among)
        near = nearest(key, [*groups, *self.tree])
        if not near and (deep := [name for name in self.origins if name.endswith(f".{key}")]):
            return f"no such key. Did you mean {deep[0]}={_shown(value)}?"
        if not near:
            return f"no such key or choice. Choices: {listed(groups, 20)}"
        text = "" if value is None else f"={_shown(value)}"
        return f"no such {'choice' if near in groups else 'key'}. Did you mean {near}{text}?"


def _plain(value: Any) -> Any:
    """A word's value with text keys, a copy of its own."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _through(value: Any, path: str, rest: str) -> str:
    if whole(value):
        return f"{path} is {value}; set {value[2:-1]}.{rest} instead"
    return f"{path} is {spelled(value)} and has no keys of its own"


def fixed(key: str, allowed: Collection[str] | None) -> str:
    """Why a key of a finished run's config must stay as it is, unless it is allowed."""
    if allowed is None or any(fnmatchcase(key, pattern) for pattern in allowed):
        return ""
    return "changing it would make the run's record untrue; start a new run instead"
