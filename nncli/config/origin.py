"""Who set a key: the line of a file, or a word that was typed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nncli.config.document import Document, Mark, read
from nncli.config.reference import around, children
from nncli.config.reference import leaves as leaves_of
from nncli.paths import shown


@dataclass(frozen=True)
class Origin:
    """Where a key's value was set. `text` is the value as written there, `before` what it replaced."""

    kind: Literal["file", "word"]
    file: Path | None
    line: int
    text: str
    comment: str = ""
    before: "Origin | None" = None

    @property
    def where(self) -> str:
        return "you typed it" if self.file is None else f"{shown(self.file)}:{self.line}"

    @property
    def from_file(self) -> "Origin | None":
        """The nearest file that says something about the key, under what was typed."""
        origin: Origin | None = self
        while origin and origin.kind == "word":
            origin = origin.before
        return origin


def spelled(value: Any) -> str:
    """A value as a person would write it in YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {spelled(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(spelled(v) for v in value) + "]"
    return str(value)


class Layers:
    """A tree that grows file by file, as OmegaConf merges; remembers the last writer of each key."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {}

    def add(self, document: Document, package: str = "") -> None:
        data = {k: v for k, v in document.data.items() if k != "defaults"}
        tree, prefix = self.tree, ""
        for name in filter(None, package.split(".")):
            if not isinstance(tree.get(name), dict):
                self._replace(tree, name, f"{prefix}{name}", {})
                self._note(f"{prefix}{name}", {}, document.path, None)
            tree, prefix = tree[name], f"{prefix}{name}."
        self._merge(tree, data, prefix, document, "")

    def _merge(
        self, tree: dict[str, Any], data: Mapping[str, Any], prefix: str, document: Document, inner: str
    ) -> None:
        for name, value in data.items():
            key, mark = f"{prefix}{name}", document.marks.get(f"{inner}{name}")
            if value == "???" and name in tree:
                continue  # mandatory in that file, given already
            if isinstance(value, Mapping):
                if not isinstance(tree.get(name), dict):
                    self._replace(tree, name, key, {})
                if key not in self.origins or not value:
                    self._note(key, value, document.path, mark)
                self._merge(tree[name], value, f"{key}.", document, f"{inner}{name}.")
                continue
            self._replace(tree, name, key, value)
            self._note(key, value, document.path, mark)
            self._note_items(value, key, document, f"{inner}{name}")

    def _note_items(self, value: Any, key: str, document: Document, inner: str) -> None:
        for name, item in children(value):
            self._note(f"{key}.{name}", item, document.path, document.marks.get(f"{inner}.{name}"))
            self._note_items(item, f"{key}.{name}", document, f"{inner}.{name}")

    def _replace(self, tree: dict[str, Any], name: str, key: str, value: Any) -> None:
        forget(self.origins, key, tree.get(name))
        tree[name] = value

    def _note(self, key: str, value: Any, path: Path, mark: Mark | None) -> None:
        before, line, comment = self.origins.get(key), mark.line if mark else 1, mark.comment if mark else ""
        # a recipe rarely repeats what a key means: keep the part's own comment
        comment = before.comment if before and before.comment else comment
        text = "{…}" if isinstance(value, Mapping) else spelled(value)  # its keys have texts of their own
        self.origins[key] = Origin("file", path, line, text, comment, before)


def forget(origins: dict[str, Origin], key: str, value: Any) -> None:
    """Drop what was inside a key, whose value this was; the key's own origin stays, to be noted as `before`."""
    for name, inner in children(value):
        origins.pop(f"{key}.{name}", None)
        forget(origins, f"{key}.{name}", inner)


def source(config: Mapping[str, Origin], key: str) -> Origin | None:
    """The origin of a key, or of the nearest key around it."""
    return next((config[outer] for outer in around(key) if outer in config), None)


def differing(facts: Sequence[Mapping[str, str]], missing: str = "-") -> dict[str, list[str]]:
    """The keys whose values differ, each with all values."""
    rows = {key: [one.get(key, missing) for one in facts] for key in sorted(set().union(*facts))}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def leaves(path: Path) -> dict[str, str]:
    """Every dotted key of a run's frozen config with its value as text."""
    return {key: spelled(value) for key, value in leaves_of(read(path).data)}
