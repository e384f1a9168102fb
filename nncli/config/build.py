"""Builds the object that a checked node describes: the only place where Hydra builds anything."""

import re
from collections.abc import Iterator
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nncli.config.compose import Config
from nncli.config.origin import source, spelled
from nncli.config.places import confine
from nncli.config.reference import Missing, locate
from nncli.config.slots import FIRST, UNUSED, is_net, target_class
from nncli.errors import ConfigError, Fault, NnError, Problem


def build(node: Any, *, config: Config, **kwargs: Any) -> Any:
    """What the node's `_target_` returns for its arguments and these besides. Trust is checked again here."""
    plain = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    at = _key(node)
    if found := [_problem(config, key, target, fault) for key, target, fault in _untrusted(plain, at, config)]:
        raise ConfigError(found)
    try:
        made = instantiate(_arguments(node, at), _convert_="all", **kwargs)
    except (InstantiationException, OmegaConfBaseException) as error:
        raise _refusal(error, config, at) from error
    if at == "logger":
        confine(made, kwargs["save_dir"], config)
    return made


def _arguments(node: Any, at: str) -> Any:
    """The same node in a tree without the keys that are not arguments."""
    if not at:
        return node
    root = node._get_root().copy()
    for slot, section in root.items():
        if is_net(str(slot)) and isinstance(section, DictConfig):
            section.pop(FIRST, None)
    return OmegaConf.select(root, at)


def _key(node: Any) -> str:
    if not isinstance(node, DictConfig | ListConfig):
        return ""
    return str(node._get_full_key(None) or "").replace("[", ".").replace("]", "")


def _untrusted(value: Any, key: str, config: Config) -> Iterator[tuple[str, Any, Fault]]:
    """(key, target, fault) of every target in a plain value that must not be built."""
    if isinstance(value, dict):
        if "_target_" in value and isinstance(fault := target_class(value["_target_"], config.trust), tuple):
            yield _join(key, "_target_"), value["_target_"], fault
        for marker in ("_args_", "_recursive_", "_convert_"):
            if marker in value:
                yield _join(key, marker), value[marker], ("reserved-key", UNUSED)
        for name, inner in value.items():
            yield from _untrusted(inner, _join(key, str(name)), config)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _untrusted(inner, _join(key, str(index)), config)


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _problem(config: Config, key: str, value: Any, fault: Fault) -> Problem:
    origin = source(config.origins, key)
    return Problem(key, spelled(value)[:200], origin.where if origin else "", *fault)


def _refusal(error: Exception, config: Config, at: str) -> NnError:
    """The message of a constructor that failed, with the place in the config instead of Hydra's words."""
    cause: BaseException = error
    while isinstance(cause, InstantiationException) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, NnError):
        return cause
    key = next((line.split(":", 1)[1].strip() for line in str(error).splitlines() if "full_key:" in line), "") or at
    key = _set_at(config, key if OmegaConf.select(config.tree, key) is not None else _dotted(key))
    section = OmegaConf.select(config.tree, key) if key else None
    target = section.get("_target_", "") if isinstance(section, DictConfig) else ""
    return ConfigError([_problem(config, key, target, ("cannot-build", _complaint(cause)))])


def _dotted(key: str) -> str:
    """Hydra writes items of a list as `augment[0]` or `augment0`."""
    return re.sub(r"(?<=[a-z_])(\d+)(?=\.|$)", r".\1", key.replace("[", ".").replace("]", ""))


def _set_at(config: Config, key: str) -> str:
    """The key where a component is set, if this key only refers to it."""
    try:
        return locate(OmegaConf.to_container(config.tree, resolve=False), key)
    except Missing:
        return key


def _complaint(cause: BaseException) -> str:
    """What the constructor said, in one message."""
    if isinstance(cause, InstantiationException):
        return "cannot be built"
    said = str(cause).strip()
    plain = isinstance(cause, ValueError | TypeError | RuntimeError | AssertionError)
    return said if said and plain else f"{type(cause).__name__}: {said}"
