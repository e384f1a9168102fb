"""Which files make up a config, in what order: Hydra's defaults list.

Below Hydra's public API on purpose: its own groups (hydra/*), plugins and global state are left out, which halves the
time; and every file is read by our safe reader before Hydra sees its defaults list, and never its values.
"""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.defaults_list import create_defaults_list
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nncli.config.document import Document, read
from nncli.config.nearest import guess, listed
from nncli.config.reference import impure, texts
from nncli.config.search_path import find, options
from nncli.errors import Code, ConfigError, Fault, Problem
from nncli.paths import shown

FILES = 300  # that make up a config
NO_HYDRA: Fault = ("reserved-key", "Hydra's own settings cannot be changed from a config")


class Source(ConfigSource):
    """All search folders as one source, whose files are read safely."""

    def __init__(self, primary: Path, among: Sequence[Path]) -> None:
        super().__init__("nn", "nn://")
        self.primary, self.among = primary, among
        self.documents: dict[Path, Document] = {}
        self.problems: list[Problem] = []

    def __deepcopy__(self, memo: Any) -> "Source":
        return self

    @staticmethod
    def scheme() -> str:
        return "nn"

    def file(self, config_path: str) -> Path | None:
        return self.primary if config_path == self.primary.stem else find(config_path, self.among)

    def load_config(self, config_path: str) -> ConfigResult:
        path = self.file(config_path)
        assert path is not None
        document = self.document(path)
        # Hydra sees the defaults list only
        config = OmegaConf.create({"defaults": document.data.get("defaults", [])})
        return ConfigResult("nn", "nn://", config, self._get_header_dict(document.text[:512]))

    def document(self, path: Path) -> Document:
        if path not in self.documents:
            try:
                self.documents[path] = _checked(read(path))
            except ConfigError as error:
                self.problems += error.problems
                self.documents[path] = Document(path, "")
        return self.documents[path]

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        return bool(options(config_path, self.among)) or config_path == ""

    def is_config(self, config_path: str) -> bool:
        return self.file(config_path) is not None

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        return options(config_path, self.among)


class Repository(ConfigRepository):
    """Hydra's view of the one source; bounded, so that files which include each other come to an end."""

    def __init__(self, source: Source) -> None:
        self.sources = [source]
        self.loads = 0

    def load_config(self, config_path: str) -> ConfigResult | None:
        self.loads += 1
        if self.loads > FILES:
            raise RecursionError(config_path)
        return super().load_config(config_path)


@dataclass(frozen=True)
class Layout:
    """The files of a config in the order in which they are merged, each with the key it is merged under."""

    parts: list[tuple[Document, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def lay_out(primary: Path, among: Sequence[Path], choices: Sequence[Override]) -> Layout:
    """Follow the defaults lists from the primary file, with these group choices applied."""
    version.setbase("1.3")
    source = Source(primary, among)
    kept, problems = list(choices), []
    try:
        order = _order(source, kept)
    except ConfigError as error:
        alone = _error(source, [])  # the files themselves are at fault, whatever was chosen
        if alone is not None:
            return Layout([(source.document(primary), "")], [*source.problems, *alone.problems])
        kept, problems = _possible(source, choices)
        try:
            order = _order(source, kept)
        except ConfigError:
            return Layout([(source.document(primary), "")], [*source.problems, *problems, *error.problems])
    return Layout([(source.document(p), package) for p, package in order], [*source.problems, *problems])


def _possible(source: Source, choices: Sequence[Override]) -> tuple[list[Override], list[Problem]]:
    """Those choices that can be followed together; a problem for each other."""
    kept: list[Override] = []
    problems: list[Problem] = []
    for choice in choices:
        if _error(source, [*kept, choice]) is None:
            kept.append(choice)
            continue
        key, value = choice.get_key_element().lstrip("+~"), str(choice.value())
        problems.append(Problem(key, value, "you typed it", *_why(choice, key, value)))
    return kept, problems


def _why(choice: Override, key: str, value: str) -> Fault:
    if choice.is_delete():
        return "cannot-remove", "is not among the choices of this config, so it cannot be removed"
    if choice.is_add():
        return "duplicate", f"cannot be added; if {key} is chosen already, type {key}={value} without the plus"
    return "not-in-defaults", f"is not among the choices of this config. To add it: +{key}={value}"


def _error(source: Source, choices: Sequence[Override]) -> ConfigError | None:
    try:
        _order(source, choices)
    except ConfigError as error:
        return error
    return None


def _order(source: Source, choices: Sequence[Override]) -> list[tuple[Path, str]]:
    """(file, package) in merge order."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about _self_; a recipe without it simply comes last
            found = create_defaults_list(Repository(source), source.primary.stem, list(choices), False, False)
    except MissingConfigException as error:
        raise _missing(source, error.missing_cfg_file or "", error.options or []) from None
    except (HydraException, OmegaConfBaseException, ValueError, AssertionError, RecursionError) as error:
        raise ConfigError([_unfollowed(source, error)]) from None
    order = []
    for default in found.defaults:
        path = source.file(default.config_path or "")
        if (default.package or "").count(".") > 20:
            raise _refused(default.package or "", shown(source.primary), ("too-large", "has too many dots"))
        if path is not None:
            order.append((path, default.package or ""))
    return order


def _checked(document: Document) -> Document:
    """Refuse what a defaults list must not hold before Hydra sees it."""
    line = document.marks["defaults"].line if "defaults" in document.marks else 1
    defaults = document.data.get("defaults", [])
    where = f"{shown(document.path)}:{line}"
    if "hydra" in document.data:
        raise _refused("", f"{shown(document.path)}:{document.marks['hydra'].line}", NO_HYDRA, key="hydra")
    if not isinstance(defaults, list) or not all(isinstance(item, str | dict) for item in defaults):
        raise _refused("", where, ("invalid-defaults", "must be a list with entries such as: - model: mlp"))
    if (count := sum(map(_count, defaults))) > FILES:
        raise _refused("", where, ("too-large", f"names {count:,} files; at most {FILES} are allowed"))
    for index, item in enumerate(defaults):
        if fault := _bad_entry(item):
            mark = document.marks.get(f"defaults.{index}")
            raise _refused(_entry(item), f"{shown(document.path)}:{mark.line if mark else line}", fault)
    return document


def _refused(entry: str, where: str, fault: Fault, key: str = "defaults") -> ConfigError:
    return ConfigError([Problem(key, entry, where, *fault)])


def _bad_entry(item: str | dict[str, Any]) -> Fault | None:
    if any(impure(text) for text in texts(item)):
        return "unsafe-reference", "only references to other keys are evaluated; name the choice itself"
    names = [item] if isinstance(item, str) else [str(key).split(" ")[-1] for key in item]
    if any(name.lstrip("/").split("/")[0].split("@")[0] == "hydra" or "@hydra" in name for name in names):
        return NO_HYDRA
    choices = [c for v in item.values() for c in (v if isinstance(v, list) else [v])] if isinstance(item, dict) else []
    if isinstance(item, dict) and (len(item) != 1 or not all(c is None or isinstance(c, str) for c in choices)):
        return "invalid-defaults", "must be one entry such as: - model: mlp"
    return None


def _count(item: str | dict[str, Any]) -> int:
    """How many files an entry names."""
    return sum(len(v) if isinstance(v, list) else 1 for v in item.values()) if isinstance(item, dict) else 1


def _entry(item: Any) -> str:
    return item if isinstance(item, str) else ", ".join(f"{key}: {value}" for key, value in item.items())


def _missing(source: Source, name: str, choices: Sequence[str]) -> ConfigError:
    """A defaults list names a file that does not exist: which list, and what it could name."""
    last = name.rpartition("/")[2]
    for document in source.documents.values():
        for index, item in enumerate(document.data.get("defaults", [])):
            if last in _entry(item).replace("/", " ").split():
                mark = document.marks.get(f"defaults.{index}")
                where = f"{shown(document.path)}:{mark.line if mark else 1}"
                there = f"no such choice. {guess(last, choices)}The choices are: {listed(choices)}"
                return _refused(_entry(item), where, ("unknown-choice", there if choices else "no such file"))
    return _refused(name, shown(source.primary), ("unknown-choice", "no such file"))


_HYDRA: dict[str, Fault] = {
    r"Could not override '([^']*)'": (
        "invalid-defaults",
        "{} is overridden before it is chosen: put - /train first, or remove `override`",
    ),
    r"Multiple values for (\S+)\.": (
        "duplicate",
        "{0} is chosen twice; to change an earlier choice write - override /{0}: …",
    ),
    r"(\S+) appears more than once": ("duplicate", "{} is chosen twice"),
    r"Overrides must be at the end": ("invalid-defaults", "entries with `override` must come after those without"),
    r"Duplicate _self_": ("duplicate", "contains _self_ twice"),
    r"You must specify '([^']*)'": ("missing-key", "a choice must be made: {}=…"),
}


def _unfollowed(source: Source, error: BaseException) -> Problem:
    """Why Hydra could not follow the defaults lists, in our words."""
    circle = isinstance(error, RecursionError | AssertionError)
    text = f"its files include each other, or there are more than {FILES}" if circle else "cannot be followed"
    code: Code = "invalid-defaults"
    for pattern, (its_code, its_text) in _HYDRA.items():
        if match := re.search(pattern, str(error)):
            code, text = its_code, its_text.format(*match.groups())
    file = re.search(r"In '?([\w/.-]+)'?:", str(error))
    path = (source.file(file[1]) if file else None) or source.primary
    marks = source.documents[path].marks if path in source.documents else {}
    where = f"{shown(path)}:{marks['defaults'].line}" if "defaults" in marks else shown(path)
    return Problem("defaults", "", where, code, text)
