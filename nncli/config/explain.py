"""What a key is for, what it takes, what its value is and who set it."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from omegaconf import OmegaConf

from nncli.config import search_path
from nncli.config.annotations import phrase
from nncli.config.compose import Config
from nncli.config.document import read
from nncli.config.nearest import guess, listed
from nncli.config.origin import spelled
from nncli.config.reference import Missing, at, leaves, whole
from nncli.config.slots import parameters, target_class
from nncli.config.words import TYPED
from nncli.errors import ConfigError, Problem


@dataclass
class Explanation:
    """Facts in the order in which they are printed."""

    title: str
    facts: dict[str, str] = field(default_factory=dict)
    choices: dict[str, str] = field(default_factory=dict)  # of a group: name and headline
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)  # of a section: key, value and meaning


def explain(config: Config, key: str, sections: Mapping[str, Callable[..., object]]) -> Explanation:
    """Everything known about a key, a section or a group of choices."""
    tree = cast(dict[str, Any], OmegaConf.to_container(config.tree, resolve=True))
    choices = _choices(key)
    try:
        value = at(tree, key)
    except Missing:
        if choices:
            return Explanation(key, choices=choices)
        raise ConfigError([Problem(key, "", TYPED, "unknown-key", _unknown(tree, key))]) from None
    if isinstance(value, dict):
        return _section(config, key, value, choices)
    return _value(config, key, value, sections)


def _choices(key: str) -> dict[str, str]:
    among = search_path.folders()
    found = {}
    for name in search_path.options(key, among) if "." not in key else []:
        path = search_path.find(f"{key}/{name}", among)
        try:
            found[name] = read(path).headline if path else ""
        except ConfigError as error:
            found[name] = error.problems[0].text
    return found


def _section(config: Config, key: str, value: dict[str, Any], choices: dict[str, str]) -> Explanation:
    explained = Explanation(key, choices=choices)
    if "_target_" in value:
        explained.facts["builds"] = str(value["_target_"])
    for full, inner in _entries(value, key):
        if not full.endswith(("_target_", "_partial_")):
            origin = config.origins.get(full)
            explained.keys[full] = (spelled(inner), origin.comment if origin else "")
    return explained


def _entries(value: dict[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    """The leaves of a section; a list without sections of its own is one of them."""
    for name, inner in value.items():
        full = f"{key}.{name}"
        if isinstance(inner, dict) and inner:
            yield from _entries(inner, full)
        elif isinstance(inner, list) and any(isinstance(item, dict) for item in inner):
            yield from leaves(inner, full)
        else:
            yield full, inner


def _value(config: Config, key: str, value: Any, sections: Mapping[str, Callable[..., object]]) -> Explanation:
    explained = Explanation(key)
    section, _, name = key.rpartition(".")
    parameter, owner = _parameter(config, section, name, sections)
    origin = config.origins.get(key)
    explained.facts["does"] = (origin.comment if origin else "") or _first_line(owner)
    if parameter is not None and parameter.annotation is not parameter.empty:
        explained.facts["takes"] = phrase(parameter.annotation)
    if parameter is not None and parameter.default is not parameter.empty:
        explained.facts["default"] = spelled(parameter.default)
    explained.facts["value"] = spelled(value)
    plain = at(cast(dict[str, Any], OmegaConf.to_container(config.tree, resolve=False)), key)
    if whole(plain):
        explained.facts["from"] = plain[2:-1]
    if origin:
        explained.facts["set by"] = origin.where
        if origin.kind == "word" and (file := origin.from_file):
            explained.facts["before"] = f"{file.text} ({file.where})"
    explained.facts = {name: text for name, text in explained.facts.items() if text}
    return explained


def _parameter(
    config: Config, section: str, name: str, sections: Mapping[str, Callable[..., object]]
) -> tuple[inspect.Parameter | None, object]:
    """The parameter that a key is given to, and the class or function it belongs to."""
    owner: Any = sections.get(section)
    node = OmegaConf.select(config.tree, section) if section else None
    if owner is None and node is not None and "_target_" in node:
        found = target_class(node.get("_target_"), config.trust)
        owner = found if isinstance(found, type) else None
    return (parameters(owner).get(name) if owner else None), owner


def _first_line(owner: object) -> str:
    return (inspect.getdoc(owner) or "").partition("\n")[0] if inspect.isclass(owner) else ""


def _unknown(tree: Mapping[str, Any], key: str) -> str:
    groups = search_path.groups(search_path.folders())
    names = {*(k for k, _ in leaves(tree)), *tree, *groups}
    return f"no such key. {guess(key, names)}The top-level keys are: {listed(sorted({*tree, *groups}), 30)}"
