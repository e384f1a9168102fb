"""Which classes a config may name. Decided on the name alone, before anything is imported."""

import os
import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from nncli.errors import ConfigError, Fault, Problem

_CLASS = r"[A-Z][A-Za-z0-9_]*"
_SHIPPED = re.compile(
    rf"nncli\.(?:tasks|models|losses|data|transforms|optim)\.[a-z][a-z0-9_]*\.{_CLASS}"
    rf"|nncli\.data\.(?:sources|images|tables|text|series)\.[a-z][a-z0-9_]*\.{_CLASS}"
    rf"|torch\.nn\.{_CLASS}|torch\.optim\.{_CLASS}|torch\.optim\.lr_scheduler\.{_CLASS}"
    r"|lightning\.pytorch\.loggers\.(?:TensorBoardLogger|MLFlowLogger|WandbLogger)"
)
_OWN = re.compile(rf"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\.{_CLASS}", re.ASCII)
_PACKAGE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
NEVER = frozenset({"hydra", "lightning", "nncli", "omegaconf", "torch"})  # nor any module of Python's own


def refuse(target: Any, trust: Collection[str]) -> Fault | None:
    """Why a target must not be imported; None when it may."""
    if not isinstance(target, str):
        return "wrong-value", "must name a class, such as nncli.models.mlp.MLP"
    if _SHIPPED.fullmatch(target):
        return None
    package = target.partition(".")[0]
    could_be_own = _OWN.fullmatch(target) and package not in NEVER and package not in sys.stdlib_module_names
    if could_be_own and package in trust:
        return None
    if could_be_own:
        return (
            "untrusted-class",
            f"is not trusted, so it was not imported. If {package} is your own package, allow it: --trust {package} "
            f'or in ./pyproject.toml: [tool.nncli] trust = ["{package}"]',
        )
    text = "is not among the classes that a config may name: those of nn, torch.nn, torch.optim and Lightning's loggers"
    return "untrusted-class", text


def trusted(extra: Collection[str] = ()) -> frozenset[str]:
    """The person's own packages: from --trust, $NN_TRUST and [tool.nncli] trust of ./pyproject.toml."""
    found = {name.strip() for name in os.environ.get("NN_TRUST", "").split(",")} | set(extra) | set(_in_pyproject())
    found.discard("")
    wrong = [
        name
        for name in sorted(found)
        if not _PACKAGE.fullmatch(name) or name in NEVER or name in sys.stdlib_module_names
    ]
    if wrong:
        text = "must be the name of a package of your own, without dots"
        where = "--trust, NN_TRUST or pyproject.toml"
        raise ConfigError([Problem("trust", name, where, "wrong-value", text) for name in wrong])
    return frozenset(found)


def _in_pyproject() -> list[str]:
    path = Path.cwd() / "pyproject.toml"
    if not path.is_file():
        return []
    import tomllib

    try:
        names = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("nncli", {}).get("trust", [])
    except (OSError, ValueError, AttributeError):
        text = "this file cannot be read as TOML"
        raise ConfigError([Problem("trust", "", "pyproject.toml", "unreadable-file", text)]) from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        text = "must be a list of package names"
        raise ConfigError([Problem("tool.nncli.trust", str(names), "pyproject.toml", "wrong-value", text)])
    return names
