"""From words to one tree of plain values, and from a tree to the text that reproduces it. Needs no torch.

Hydra reads the words and orders the files; the values are merged here, as OmegaConf merges them, so that each key's
origin is known and nothing is ever evaluated except references to other keys.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from omegaconf import DictConfig, OmegaConf

from nncli.config import search_path
from nncli.config.document import Document, Dumper, read
from nncli.config.nearest import guess, listed
from nncli.config.older import bring_up_to_date
from nncli.config.origin import Layers, Origin, source, spelled
from nncli.config.reference import at, faults, locate, stands, whole
from nncli.config.trust import trusted
from nncli.config.values import Values
from nncli.config.words import TYPED, Words, is_fixed, parse, split
from nncli.errors import ConfigError, Fault, Problem
from nncli.files import ABSENT, home, refusal
from nncli.paths import own, shipped, shown

FROZEN: Fault = (
    "frozen-key",
    "cannot be changed, or the run's record would no longer be true; start a new run instead",
)


@dataclass(frozen=True)
class Config:
    """A composed config, and everything known about where its values come from."""

    tree: DictConfig  # interpolations kept
    name: str  # of its runs
    words: tuple[str, ...]  # as typed
    origins: Mapping[str, Origin]  # dotted key -> who set it
    problems: tuple[Problem, ...]  # found so far; check() finds the rest
    trust: frozenset[str]  # the person's own packages


def compose(words: Sequence[str], *, trust: Collection[str] = ()) -> Config:
    """One tree from the recipe, the choices and the values that a person typed."""
    typed = parse(words)
    primary = _primary(typed)
    among = search_path.folders(primary if typed.recipe is not None else None)
    choices, values, problems = split(typed.overrides, among)
    document = _start(primary, typed)
    if document.data and "defaults" not in document.data:
        problems += [_frozen(choice.get_key_element(), choice.value(), primary) for choice in choices]
        choices = []
    from nncli.config.defaults import lay_out

    layout = lay_out(primary, among, choices)
    layers = Layers()
    for part, package in layout.parts:
        layers.add(part, package)
    problems = [*typed.problems, *layout.problems, *problems]
    if not layers.tree:  # nothing could be read: every word would only be reported to have no key
        return _config({}, {}, words, problems, primary, trust)
    layers.tree.setdefault("name", primary.stem if typed.recipe is not None else _own_name(document, choices))
    applied = Values(layers.tree, layers.origins, among)
    for value in sorted(values, key=lambda value: not value.key_or_group.endswith("._target_")):  # they open keys
        applied.apply(value)
    return _config(layers.tree, layers.origins, words, [*problems, *applied.problems], primary, trust)


def load_frozen(
    path: Path, words: Sequence[str] = (), *, allowed: Collection[str] | None = None, trust: Collection[str] = ()
) -> Config:
    """A run's frozen config, with value words applied to the keys that are allowed to change."""
    layers = Layers()
    layers.add(read(path))
    bring_up_to_date(layers.tree)
    typed = parse(words)
    problems = typed.problems
    if typed.recipe is not None:
        text = "cannot be changed: the run has its config; start a new run instead"
        problems.append(Problem("recipe", typed.recipe, TYPED, "frozen-key", text))
    among = search_path.folders()
    choices, values, wrong = split(typed.overrides, among)
    problems += [*wrong, *(_frozen(choice.get_key_element(), choice.value(), path) for choice in choices)]
    applied = Values(layers.tree, layers.origins, among)
    for value in values:
        fixed, before = is_fixed(value.key_or_group, allowed), len(applied.problems)
        if not fixed or not stands(layers.tree, value.key_or_group):
            applied.apply(value)
        if fixed and len(applied.problems) == before:
            problems.append(Problem(value.key_or_group, spelled(value.value()), TYPED, *FROZEN))
    return _config(layers.tree, layers.origins, words, [*problems, *applied.problems], path, trust)


def freeze(config: Config) -> str:
    """YAML that reproduces this run: every value resolved; only references to whole sections are kept."""
    plain = cast(dict[str, Any], OmegaConf.to_container(config.tree, resolve=False))
    resolved = {"name": config.name, **_resolved(plain, plain, "", config.tree)}
    return yaml.dump(resolved, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def _resolved(value: Any, tree: dict[str, Any], key: str, live: DictConfig) -> Any:
    """The value with references followed, those to sections excepted."""
    if isinstance(value, dict):
        return {k: _resolved(v, tree, f"{key}.{k}" if key else k, live) for k, v in value.items()}
    if isinstance(value, list):
        return [_resolved(v, tree, f"{key}.{i}", live) for i, v in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    if whole(value):
        place = locate(tree, key)
        target = at(tree, place)
        return f"${{{place}}}" if _is_section(target) else _resolved(target, tree, place, live)
    return OmegaConf.select(live, key)


def _is_section(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(_is_section(item) for item in value))


def _config(
    tree: dict[str, Any],
    origins: Mapping[str, Origin],
    words: Sequence[str],
    problems: Sequence[Problem],
    path: Path,
    trust: Collection[str],
) -> Config:
    """Take the name out of the tree, and cut every reference that cannot be followed, so that resolving is safe."""
    found = list(problems)
    name = tree.pop("name", path.stem)
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w. -]{0,99}", name):
        origin = source(origins, "name")
        where = origin.where if origin else shown(path)
        text = "must consist of letters, digits, dots and dashes"
        found.append(Problem("name", spelled(name)[:100], where, "wrong-value", text))
        name = "unnamed"
    for key, fault in faults(tree).items():
        origin = source(origins, key)
        found.append(Problem(key, spelled(at(tree, key))[:200], origin.where if origin else "", *fault))
        parent, _, last = key.rpartition(".")
        node: Any = at(tree, parent) if parent else tree
        node[int(last) if isinstance(node, list) else last] = None
    try:
        packages = trusted(trust)
    except ConfigError as error:
        packages, found = frozenset[str](), [*found, *error.problems]
    return Config(OmegaConf.create(tree), name, tuple(words), origins, tuple(found), packages)


def _primary(typed: Words) -> Path:
    """The file that a config starts from."""
    root = next(f / "train.yaml" for f in (own("conf"), shipped("conf")) if (f / "train.yaml").is_file())
    if typed.recipe is None:
        return root
    name = typed.recipe
    if "/" in name or name.endswith((".yaml", ".yml")):
        path = home(name).absolute()
        why = refusal(path) if path.suffix == ".yaml" else "must end in .yaml"
        if not why:
            return path
        fault: Fault = ("unknown-choice", "no such file") if why == ABSENT else ("unreadable-file", why)
        typed.refuse(f"recipe={name}", fault)
        return root
    recipes = search_path.recipes()
    if name not in recipes:
        text = f"no such recipe. {guess(name, recipes)}The recipes are: {listed(recipes)}"
        typed.refuse(f"recipe={name}", ("unknown-choice", text))
    return recipes.get(name, root)


def _start(primary: Path, typed: Words) -> Document:
    try:
        return read(primary)
    except ConfigError:
        return Document(primary, "")  # reported by the layout, with every other file


def _own_name(document: Document, choices: Sequence[Any]) -> str:
    """Without a recipe a run is named after its data and its model."""
    chosen = {}
    for item in document.data.get("defaults", []):
        chosen |= item if isinstance(item, dict) else {}
    chosen |= {choice.get_key_element(): choice.value() for choice in choices}
    return f"{chosen.get('data', 'data')}_{chosen.get('model', 'model')}"


def _frozen(key: str, value: Any, path: Path) -> Problem:
    text = f"{shown(path)} has no defaults list, so there is nothing to choose from; start from the recipe instead"
    return Problem(key.lstrip("+~"), spelled(value), TYPED, "frozen-key", text)
