"""Reads a YAML file without trusting it: bounded in size, depth and time, plain values only, every line known.

Much of what YAML can do is refused: tags (they name Python objects), anchors and aliases (they blow up), merge keys.
Numbers and text are distinguished as OmegaConf does it: `1e-3` is a number and a date is text.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nncli.errors import Code, ConfigError, Fault, Problem
from nncli.paths import shown

LARGEST = 1_000_000  # bytes
DEEPEST = 40  # mappings and lists inside each other
MOST = 50_000  # parser events, about two for each key

_FLOAT = re.compile(
    r"""^(?:[-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)
    |\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN))$""",
    re.X,
)
_UNREAD = ("timestamp", "merge", "value", "float")
_KEY = re.compile(r"[\w@/ :-]+")
_COMMENT = re.compile(r"[\s,}\]:]*#\s*(.*)")


class Loader(yaml.CSafeLoader):
    """Safe loading with OmegaConf's idea of a number."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(_UNREAD)]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


class Dumper(yaml.CSafeDumper):
    """Writes what Loader reads back unchanged."""


def _list(dumper: Dumper, value: list[Any]) -> yaml.Node:
    short = not any(isinstance(item, dict | list) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=short)


Dumper.yaml_implicit_resolvers = Loader.yaml_implicit_resolvers
Dumper.add_representer(list, _list)


@dataclass(frozen=True)
class Mark:
    """A key's line in its file, and the comment after it."""

    line: int
    comment: str


@dataclass(frozen=True)
class Document:
    """One YAML file: plain values, and a mark for each dotted key."""

    path: Path
    text: str
    data: dict[str, Any] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """The first comment line: what the file is and when to choose it."""
        for line in self.text.splitlines():
            if not line.startswith("#"):
                break
            if not line.startswith("# @"):
                return line.lstrip("# ").rstrip()
        return ""


def read(path: Path) -> Document:
    """The file at `path`; ConfigError with every reason why it cannot be read safely."""
    return parse(_text(path), path)


def parse(text: str, path: Path) -> Document:
    """A YAML text that is, or would be, the content of `path`."""
    try:
        _guard(text, path)
        root = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "it contains characters that YAML does not allow"
        line = mark.line + 1 if mark else 1
        raise refused(path, line, "invalid-yaml", f"is not valid YAML: {what}") from None
    if root is None:
        return Document(path, text)
    if not isinstance(root, yaml.MappingNode):
        raise refused(path, root.start_mark.line + 1, "invalid-yaml", "must contain keys and values")
    reading = _Reading(path, text.split("\n"))
    data = reading.mapping(root, "")
    if reading.problems:
        raise ConfigError(reading.problems)
    return Document(path, text, data, reading.marks)


def refused(path: Path, line: int, code: Code, text: str) -> ConfigError:
    return ConfigError([Problem(shown(path), "", f"{shown(path)}:{line}", code, text)])


def _text(path: Path) -> str:
    if not path.is_file():
        raise refused(path, 1, "unreadable-file", "is not a file")
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise refused(path, 1, "too-large", f"is larger than {LARGEST:,} bytes")
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise refused(path, line, "unreadable-file", "is not UTF-8 text") from None
    except OSError as error:
        raise refused(path, 1, "unreadable-file", f"cannot be read: {error.strerror}") from None


def _guard(text: str, path: Path) -> None:
    """Look at the parser's events one by one, so that a bomb is refused before it is expanded."""
    depth = documents = 0
    for count, event in enumerate(yaml.parse(text, Loader=Loader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if fault := _fault(event, count, depth, documents):
            mark = event.start_mark
            raise refused(path, mark.line + 1 if mark else 1, *fault)


def _fault(event: yaml.Event, count: int, depth: int, documents: int) -> Fault | None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
        return "invalid-yaml", "anchors and aliases (& and *) are not supported; refer to another key with ${key}"
    if getattr(event, "tag", None) not in (None, "!"):
        return "invalid-yaml", f"the tag {event.tag} is not supported; use plain values"  # type: ignore[attr-defined]
    if depth > DEEPEST:
        return "too-large", f"is nested more than {DEEPEST} levels deep"
    if count > MOST:
        return "too-large", "contains too many keys and values"
    return ("invalid-yaml", "contains more than one document") if documents > 1 else None


class _Reading:
    """Turns nodes into plain values and notes each key's mark on the way."""

    def __init__(self, path: Path, lines: list[str]) -> None:
        self.path, self.lines = path, lines
        self.marks: dict[str, Mark] = {}
        self.problems: list[Problem] = []
        self._scalars = Loader("")

    def mapping(self, node: yaml.MappingNode, prefix: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not (key := self._key(key_node, found, inside_defaults=_under_defaults(prefix))):
                continue
            self.marks[f"{prefix}{key}"] = self._mark(key_node, value_node)
            found[key] = self._value(value_node, f"{prefix}{key}.")
        return found

    def _key(self, node: yaml.Node, found: Mapping[str, Any], *, inside_defaults: bool) -> str | None:
        key = node.value
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            self._refuse(node, "a key must be text; put quotes around it")
        elif not inside_defaults and not _KEY.fullmatch(key):
            self._refuse(node, f"the key {key[:60]!r} contains characters that a key cannot have")
        elif key in found:
            self._refuse(node, f"the key {key} occurs twice", "duplicate")
        else:
            return key
        return None

    def _value(self, node: yaml.Node, prefix: str) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, prefix)
        if isinstance(node, yaml.SequenceNode):
            return list(self._items(node, prefix))
        try:
            return self._scalars.construct_object(node)
        except (ValueError, KeyError, OverflowError, yaml.YAMLError):
            self._refuse(node, f"the value {node.value[:60]} cannot be read; if it is text, put quotes around it")
            return None

    def _items(self, node: yaml.SequenceNode, prefix: str) -> Iterator[Any]:
        for index, item in enumerate(node.value):
            self.marks[f"{prefix}{index}"] = self._mark(item, item)
            yield self._value(item, f"{prefix}{index}.")

    def _mark(self, key: yaml.Node, value: yaml.Node) -> Mark:
        """A comment follows a value that ends on its line, or the key of a block."""
        line = key.start_mark.line
        end = value.end_mark if value.end_mark.line == line else key.end_mark
        comment = _COMMENT.match(self.lines[line][end.column :]) if line < len(self.lines) else None
        return Mark(line + 1, comment[1].strip() if comment else "")

    def _refuse(self, node: yaml.Node, text: str, code: Code = "invalid-yaml") -> None:
        self.problems += refused(self.path, node.start_mark.line + 1, code, text).problems


def _under_defaults(prefix: str) -> bool:
    return prefix.startswith("defaults.")
