"""Resolve a composed config: fill in what earlier runs, the data and this machine determine."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from nncli.config.compose import Config, compose
from nncli.config.hosting import hosts, pruned
from nncli.config.origin import spelled
from nncli.config.places import untyped
from nncli.config.slots import is_net, target_class
from nncli.config.suits import suits
from nncli.config.used_keys import unread
from nncli.contracts import LeftOpen
from nncli.errors import SHOWN, DataError, NnError, printable, short
from nncli.run.assemble import load_data, require, section
from nncli.run.initial_weights import resolve_init_from
from nncli.run.placement import place
from nncli.run.screen import Screen

WIDEST = 120  # characters of a value on the screen; the run's config.yaml has all of it


def resolve(config: Config, screen: Screen) -> tuple[Config, Any]:
    """The resolved config and its loaded data; the data of a LightningModule is loaded later.

    In this order: the nets of earlier runs and a check of the whole, values from the data, the devices of this machine.
    """
    config, data = complete(config), None
    notes = [] if hosts(config) else unread(config)
    for note in [*notes[:SHOWN], *([f"{len(notes) - SHOWN} more have no effect"] if len(notes) > SHOWN else [])]:
        screen.line(f"  note: {short(note)}")
    if not hosts(config):
        config, data = infer(config, screen)
        if config.tree.test and "test" not in data.parts:
            held = "set test=false, or hold one out: data.split.test=0.15"
            raise NnError(f"this data has no test part to evaluate; {held}")
    return resolve_devices(config), data


def complete(config: Config) -> Config:
    """The part that needs no data: the nets and files of `init_from`, and a check that reports all problems at once."""
    config = resolve_init_from(pruned(config))
    return require(config, besides=untyped(config))


def infer(config: Config, screen: Screen) -> tuple[Config, Any]:
    """The config with values from the data for each `auto` and the choices that suit it, and the loaded data.

    These values are printed. A choice (task, loss, model …) is only made if neither a recipe nor a word has made it.
    """
    data = load_data(config)
    values = {f"data.{key}": value for key, value in data.inferred().items()}
    composed, choices = replace(config, tree=config.tree.copy()), {}
    if values:
        suit = {} if _typed(config, "recipe") else suits(data.traits())
        suit = {key: value for key, value in suit.items() if not _typed(config, key)}
        choices = {key: value for key, value in suit.items() if "." not in key}
        composed = compose([*(f"{key}={value}" for key, value in choices.items()), *config.words], trust=config.trust)
        values |= {key: value for key, value in suit.items() if "." in key and _there(composed, key)}
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
    return complete(replace(composed, words=config.words)), data


def resolve_devices(config: Config) -> Config:
    """The config with this machine's value for each `auto`, so that it records how the run was made."""
    where = place(section(config, "trainer"))
    tree = config.tree.copy()
    for key in ("accelerator", "devices", "precision"):
        OmegaConf.update(tree, f"trainer.{key}", getattr(where, key))
    return replace(config, tree=tree)


def _of_nets(config: Config) -> dict[str, Any]:
    """The values that nets determine, such as the architecture of a published one."""
    values: dict[str, Any] = {}
    for slot, node in config.tree.items():
        if is_net(str(slot)) and isinstance(node, DictConfig) and "_target_" in node:
            cls, arguments = target_class(node["_target_"], config.trust), OmegaConf.to_container(node, resolve=True)
            if isinstance(cls, LeftOpen):
                inferred = cls.inferred(**cast(dict[str, Any], arguments))
                values |= {f"{slot}.{key}": value for key, value in inferred.items()}
    return values


def _typed(config: Config, key: str) -> bool:
    """Whether the user typed this key, in any form that Hydra allows."""
    return any(word.lstrip("+~").partition("=")[0].partition("@")[0] == key for word in config.words)


def _there(config: Config, key: str) -> bool:
    """Whether a key is in the tree: a net that the user chose may not have this argument."""
    around, _, name = key.rpartition(".")
    return name in (OmegaConf.select(config.tree, around) or {})


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for pair in value.items() for item in pair for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []
