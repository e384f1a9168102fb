"""Configs whose task is a LightningModule of the person's own: such a module brings its net, loss and optimizers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from omegaconf import OmegaConf

from nncli.config.compose import Config
from nncli.config.slots import parameters, target_class
from nncli.errors import NnError
from nncli.paths import shipped

KEPT = ("task", "data", "trainer", "loader", "checkpoint", "logger", "regularization")  # of the sections
PLAIN = {"grad_clip": None, "precision": "32"}  # of the trainer section
_BASES = {"task": "LightningModule", "data": "LightningDataModule"}


def is_lightning(cls: object, slot: str) -> bool:
    """Whether a class is Lightning's kind of task or data. Decided by name, so that Lightning need not be imported."""
    if not isinstance(cls, type) or slot not in _BASES:
        return False
    return any(c.__name__ == _BASES[slot] and c.__module__.startswith("lightning.pytorch.") for c in cls.__mro__)


def hosts(config: Config) -> bool:
    """Whether the task is a LightningModule."""
    return is_lightning(_class(config, "task"), "task")


def _class(config: Config, slot: str) -> object:
    section = config.tree.get(slot)
    target = section.get("_target_") if isinstance(section, Mapping) else None
    return target_class(target, config.trust) if isinstance(target, str) else None


def refuse_hosted(config: Config, verb: str) -> None:
    """Refuse what needs a task of nn, where the config's task is a LightningModule."""
    if hosts(config):
        raise NnError(f"{verb} needs a task of nn, but {config.tree.task['_target_']} is a LightningModule")


def pruned(config: Config) -> Config:
    """The config without the sections and arguments that such a module does not use, except those that were typed."""
    if not hosts(config):
        return config
    tree = cast(dict[str, Any], OmegaConf.to_container(config.tree, resolve=False))
    for slot in ("task", "data"):
        cls = _class(config, slot)
        if is_lightning(cls, slot) and isinstance(cls, type):
            tree[slot] = _taken(config, tree[slot], cls, slot)
    for key, value in PLAIN.items():  # Lightning's own defaults, unless a person sets others
        if isinstance(tree.get("trainer"), dict) and not _meant(config, f"trainer.{key}", f"regularization.{key}"):
            tree["trainer"][key] = value
    typed = {key.partition(".")[0] for key, origin in config.origins.items() if origin.kind == "word"}
    gone = {key for key, node in tree.items() if isinstance(node, dict) and key not in KEPT} - typed
    problems = tuple(p for p in config.problems if p.key.partition(".")[0] not in gone)
    named = any(word.startswith("recipe=") for word in config.words)
    return replace(
        config,
        name=config.name if named else str(tree["task"]["_target_"]).rpartition(".")[2],
        tree=OmegaConf.create({key: node for key, node in tree.items() if key not in gone}),
        problems=problems,
    )


def _taken(config: Config, section: dict[str, Any], cls: type, slot: str) -> dict[str, Any]:
    """The arguments that a person set for the class; the others are for nn's class, which it replaces."""
    known = parameters(cls)
    meant = {key for key in section if _meant(config, f"{slot}.{key}")}
    typed = {key for key in meant if config.origins[f"{slot}.{key}"].kind == "word"}
    return {k: v for k, v in section.items() if k.startswith("_") or k in typed or (k in meant and k in known)}


def _meant(config: Config, *keys: str) -> bool:
    """Whether a person set one of these, by a word or in a file of their own; what nn ships is for its own."""
    origins = [config.origins[key] for key in keys if key in config.origins]
    shelves = (shipped("conf"), shipped("recipes"))
    return any(o.file is None or not any(o.file.is_relative_to(shelf) for shelf in shelves) for o in origins)
