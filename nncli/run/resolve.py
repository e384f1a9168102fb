"""What a person left open, found in the data: `auto` values of the data section and the choices that suit it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from nncli.config.compose import Config, compose
from nncli.config.origin import spelled
from nncli.config.slots import is_net, target_class
from nncli.errors import DataError, printable
from nncli.run.assemble import load_data, require
from nncli.run.screen import Screen

WIDEST = 120  # characters of a value on the screen; the run's config.yaml has it whole


def infer(config: Config, screen: Screen) -> tuple[Config, Any]:
    """The config with nothing left open, and its data, loaded. What was found is told.

    A choice (task, loss, model …) is only made where neither a recipe nor a word has made it.
    """
    data = load_data(config)
    values = {f"data.{key}": value for key, value in data.inferred().items()}
    composed, choices = replace(config, tree=config.tree.copy()), {}
    if values:
        suits = {} if _typed(config, "recipe") else {k: v for k, v in data.suits().items() if not _typed(config, k)}
        choices = {key: value for key, value in suits.items() if "." not in key}
        composed = compose([*(f"{key}={value}" for key, value in choices.items()), *config.words], trust=config.trust)
        values |= {key: value for key, value in suits.items() if "." in key and _there(composed, key)}
    values |= _of_nets(composed)
    if not values:
        return config, data
    for key, value in values.items():
        if any("${" in text for text in _texts(value)):
            raise DataError(f"{key} would contain ${{ from the data, which a config cannot store; rename it")
        OmegaConf.update(composed.tree, key, value, merge=False, force_add=True)
    for key, value in {**choices, **values}.items():
        text = printable(spelled(value))
        screen.line(f"  found  {key} = {text if len(text) <= WIDEST else text[: WIDEST - 1] + '…'}")
    return require(replace(composed, words=config.words)), data


def _of_nets(config: Config) -> dict[str, Any]:
    """What the nets left open, such as what a published one is made of."""
    found: dict[str, Any] = {}
    for slot, section in config.tree.items():
        if is_net(str(slot)) and isinstance(section, DictConfig) and "_target_" in section:
            cls, given = target_class(section["_target_"], config.trust), OmegaConf.to_container(section, resolve=True)
            if tell := getattr(cls, "inferred", None):
                found |= {f"{slot}.{key}": value for key, value in tell(**cast(dict[str, Any], given)).items()}
    return found


def _typed(config: Config, key: str) -> bool:
    """Whether a person typed this key, in whatever way Hydra lets them."""
    return any(word.lstrip("+~").partition("=")[0].partition("@")[0] == key for word in config.words)


def _there(config: Config, key: str) -> bool:
    """Whether a key is in the tree: a net that the person chose may have no such argument."""
    section, _, name = key.rpartition(".")
    return name in (OmegaConf.select(config.tree, section) or {})


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for pair in value.items() for item in pair for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []
