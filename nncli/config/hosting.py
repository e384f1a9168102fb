"""Configs whose task is a LightningModule of the person's own: such a module brings its net, loss and optimizers."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, cast

from omegaconf import OmegaConf

from nncli.config.compose import Config
from nncli.config.slots import parameters, target_class
from nncli.errors import NnError

KEPT = ("task", "data", "trainer", "loader", "checkpoint", "logger", "regularization")  # of the sections
_BASES = {"task": "LightningModule", "data": "LightningDataModule"}


def is_lightning(cls: object, slot: str) -> bool:
    """Whether a class is Lightning's kind of task or data. Told by name, so that nobody pays for importing it."""
    if not isinstance(cls, type) or slot not in _BASES:
        return False
    return any(c.__name__ == _BASES[slot] and c.__module__.startswith("lightning.pytorch.") for c in cls.__mro__)


def hosts(config: Config) -> bool:
    """Whether the task is a LightningModule."""
    return is_lightning(_class(config, "task"), "task")


def _class(config: Config, slot: str) -> type | str:
    section = config.tree.get(slot)
    target = section.get("_target_") if isinstance(section, Mapping) else None
    return target_class(target, config.trust) if isinstance(target, str) else ""


def refuse_hosted(config: Config, verb: str) -> None:
    """Refuse what is made for tasks, where the config's is a LightningModule."""
    if hosts(config):
        raise NnError(f"{verb} is for tasks of nn, and {config.tree.task['_target_']} is a LightningModule")


def pruned(config: Config) -> Config:
    """The config without the sections and arguments that such a module does not take, except those that were typed."""
    if not hosts(config):
        return config
    tree = cast(dict[str, Any], OmegaConf.to_container(config.tree, resolve=False))
    for slot in ("task", "data"):
        cls = _class(config, slot)
        if is_lightning(cls, slot) and isinstance(cls, type):
            tree[slot] = _taken(tree[slot], cls, {k for k, o in config.origins.items() if o.kind == "word"}, slot)
    typed = {key.partition(".")[0] for key, origin in config.origins.items() if origin.kind == "word"}
    gone = {key for key, node in tree.items() if isinstance(node, dict) and key not in KEPT} - typed
    problems = tuple(p for p in config.problems if p.key.partition(".")[0] not in gone)
    return replace(
        config,
        tree=OmegaConf.create({key: node for key, node in tree.items() if key not in gone}),
        problems=problems,
    )


def _taken(section: dict[str, Any], cls: type, typed: Collection[str], slot: str) -> dict[str, Any]:
    """What the class takes by name, and what a person typed; the rest belongs to the class that was there before."""
    known = parameters(cls)
    return {
        key: value for key, value in section.items() if key in known or key.startswith("_") or f"{slot}.{key}" in typed
    }
