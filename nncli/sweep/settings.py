"""The sweep's own words, `sweep=…` and `sweep.…`, and what they set."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len

from nncli.config import search_path
from nncli.config.annotations import accepts, phrase
from nncli.config.document import read
from nncli.config.nearest import guess, listed
from nncli.config.origin import Layers, source, spelled
from nncli.config.values import Values
from nncli.config.words import TYPED, parse
from nncli.errors import ConfigError, Problem
from nncli.seed import Seed

USUAL = "tpe"
SECRET = re.compile(r"(?<=://)\S*(?=@)|(?<=password=)[^\s&'\"]*")  # in the address of a database


@dataclass(frozen=True)
class Settings:
    """How a sweep searches: the keys of conf/sweep, with which it says what each means."""

    method: Literal["grid", "random", "tpe", "gp", "cmaes", "qmc"]
    name: str | None
    trials: Annotated[int, Ge(1)] | None
    minutes: Annotated[float, Gt(0)] | None
    patience: Annotated[int, Ge(1)] | None
    metric: str | Annotated[list[str], Len(1)]
    pruner: Literal["none", "median", "hyperband", "asha"]
    workers: Annotated[int, Ge(1), Le(1000)] | Literal["auto"]
    retries: Annotated[int, Ge(0)]
    fail: Literal["continue", "stop"]
    storage: str | None
    seed: Seed
    space: list[str]


def settings(words: Sequence[str]) -> tuple[Settings, list[str]]:
    """The settings, and the words that are not about the sweep; raises ConfigError with every problem."""
    ours = [word for word in words if word.partition("=")[0].partition(".")[0] == "sweep"]
    rest = [word for word in words if word not in ours]
    typed, among = parse(ours), search_path.folders()
    choices = [one for one in typed.overrides if one.key_or_group == "sweep"]
    problems, there = list(typed.problems), search_path.options("sweep", among)
    chosen = str(choices[0].value()) if choices else USUAL
    if chosen not in there:
        text = f"no such way to search. {guess(chosen, there)}The choices are: {listed(there)}"
        raise ConfigError([*problems, Problem("sweep", chosen, TYPED, "unknown-choice", text)])
    layers = Layers()
    for file in search_path.files("sweep", chosen, among):
        layers.add(read(file), "sweep")
    applied = Values(layers.tree, layers.origins, among)
    for value in typed.overrides:
        if value not in choices:
            applied.apply(value)
    problems += applied.problems
    tree: dict[str, Any] = layers.tree["sweep"]
    if tree.get("trials") is None and tree.get("method") != "grid":
        text = "must be a whole number, 1 or more; null is for sweep=grid, which ends by itself"
        problems.append(Problem("sweep.trials", "null", TYPED, "wrong-value", text))
    for key, hint in Settings.__annotations__.items():
        if not accepts(tree.get(key), hint):
            origin = source(layers.origins, f"sweep.{key}")
            where = origin.where if origin else ""
            text = f"must be {phrase(hint)}"
            problems.append(Problem(f"sweep.{key}", spelled(tree.get(key)), where, "wrong-value", text))
    if tree.get("name") and not re.fullmatch(r"\w[\w.-]{0,99}", str(tree["name"])):
        text = "must consist of letters, digits, dots and dashes; it is the name of a folder"
        problems.append(Problem("sweep.name", str(tree["name"])[:200], TYPED, "wrong-value", text))
    if problems:
        raise ConfigError([replace(one, value=hidden(one.value), text=hidden(one.text)) for one in problems])
    return Settings(**{key: tree[key] for key in Settings.__annotations__}), rest


def hidden(text: str) -> str:
    """Text without the password of a database."""
    return SECRET.sub("…", text)
