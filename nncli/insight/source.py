"""The data of some words: composed and checked as training does it, but for this section alone."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from nncli.config.build import build
from nncli.config.check import check
from nncli.config.compose import Config, compose
from nncli.data.base import Data
from nncli.data.rows import InMemory, Rows
from nncli.errors import ConfigError, DataError, NnError, Problem
from nncli.files import home, refusal
from nncli.run.assemble import run_settings

_REFERRED = re.compile(r"\$\{(\w+)")


def composed(words: Sequence[str], trust: Collection[str] = (), sections: Collection[str] = ("data",)) -> Config:
    """The config of the words; a first word without `=` is the name of a set. Only these sections need be right."""
    config = compose(_spelled(words), trust=trust)
    alone = replace(config, tree=_alone(config.tree, sections))
    read = dict.fromkeys(("", *sections), run_settings)  # what is typed in these has an effect
    found = [p for p in check(alone, read) if p in config.problems or p.key.partition(".")[0] in sections]
    if found or "data" not in config.tree:
        missing = Problem("data", "", "", "missing-key", "is missing; choose a data set: nn data ls")
        raise ConfigError(found or [missing])
    return config


def _alone(tree: DictConfig, sections: Collection[str]) -> DictConfig:
    """The sections, and whatever else of the tree they refer to."""
    plain = cast(dict[str, Any], OmegaConf.to_container(tree, resolve=False))
    wanted, keys = list(sections), set[str]()
    while wanted:
        key = wanted.pop()
        if key in plain and key not in keys:
            keys.add(key)
            wanted += _REFERRED.findall(str(plain[key]))
    return OmegaConf.create({key: value for key, value in plain.items() if key in keys})


def title(words: Sequence[str], config: Config) -> str:
    """What a person calls the data: the set's name, else that of the recipe."""
    chosen = [word.removeprefix("data=") for word in _spelled(words) if word.startswith("data=")]
    return chosen[-1] if chosen and chosen[-1].isidentifier() else config.name


def _spelled(words: Sequence[str]) -> list[str]:
    """`digits` means `data=digits`."""
    named = bool(words) and "=" not in words[0] and not words[0].startswith("~")
    return [f"data={words[0]}", *words[1:]] if named else list(words)


def source(config: Config) -> Data:
    """The data, built; nothing is fetched or read yet."""
    data = build(config.tree.data, config=config)
    if not isinstance(data, Data):
        raise NnError(
            f"data._target_ is {type(data).__name__}, which is no nncli.data.base.Data; nn cannot look inside"
        )
    data.facts = {}
    return data


def lies(data: Data) -> Path | None:
    """Where its files are: the folder or file it was given."""
    for given in (data.root, data.path):
        if isinstance(given, str | Path) and not refusal(path := home(str(given)), folders=True):
            return path
    return None


def unchecked(data: Data) -> dict[str, Rows]:
    """The parts as they are, whatever is wrong with them; DataError where they cannot be read at all."""
    return {name: part if isinstance(part, Rows) else InMemory(*part) for name, part in data.load().items()}


def complaint(data: Data, parts: dict[str, Rows]) -> str:
    """What training would say against these parts first."""
    try:
        data.check(parts)
    except DataError as error:
        return str(error)
    return ""


def kind_of(data: Data, rows: Rows) -> str:
    """image, table, text or series; bytes with channels, height and width are pictures whatever the class says."""
    x: Any = rows.span(0, 1)[0] if len(rows) else None
    return "image" if x is not None and x.dim() == 4 and not x.is_floating_point() else data.kind


def column_names(data: Data, width: int) -> list[str]:
    """What the columns of the inputs are called, where the source knows."""
    given = data.facts.get("columns") or []
    names = [str(column.get("name", "")) if isinstance(column, dict) else str(column) for column in given]
    return names if len(names) == width else [f"column {place}" for place in range(width)]
