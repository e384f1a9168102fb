"""The data of a command's words: composed and checked as in training, but for this section alone."""

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
    """The config of the words; a first word without `=` names a data set. Only these sections must be valid."""
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
    """A name for the data: that of the data set, else that of the recipe."""
    chosen = [word.removeprefix("data=") for word in _spelled(words) if word.startswith("data=")]
    return chosen[-1] if chosen and chosen[-1].isidentifier() else config.name


def _spelled(words: Sequence[str]) -> list[str]:
    """`digits` means `data=digits`."""
    named = bool(words) and "=" not in words[0] and not words[0].startswith("~")
    return [f"data={words[0]}", *words[1:]] if named else list(words)


def source(config: Config) -> Data:
    """The data, built, but not yet downloaded or read."""
    data = build(config.tree.data, config=config)
    if not isinstance(data, Data):
        raise NnError(
            f"data._target_ is {type(data).__name__}, which is not an nncli.data.base.Data, so nn cannot show it"
        )
    data.facts = {}
    return data


def lies(data: Data) -> Path | None:
    """The folder or file of the user's own data."""
    for name in (data.root, data.path):
        if isinstance(name, str | Path) and not refusal(path := home(str(name)), folders=True):
            return path
    return None


def unchecked(data: Data) -> dict[str, Rows]:
    """The parts without any checks; raises DataError if they cannot be read at all."""
    return {name: part if isinstance(part, Rows) else InMemory(*part) for name, part in data.load().items()}


def complaint(data: Data, parts: dict[str, Rows]) -> str:
    """The first error that training would report about these parts."""
    try:
        data.check(parts)
    except DataError as error:
        return str(error)
    return ""


def kind_of(data: Data, rows: Rows) -> str:
    """image, table, text or series; bytes with channels, height and width are images, whatever the class says."""
    x: Any = rows.span(0, 1)[0] if len(rows) else None
    return "image" if x is not None and x.dim() == 4 and not x.is_floating_point() else data.kind


def column_names(data: Data, width: int) -> list[str]:
    """The names of the input columns, if the source knows them."""
    columns = data.facts.get("columns") or []
    names = [str(column.get("name", "")) if isinstance(column, dict) else str(column) for column in columns]
    return names if len(names) == width else [f"column {place}" for place in range(width)]
