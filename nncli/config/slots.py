"""What each top-level key of a config is for: the type that must be built there, and the arguments that nn passes."""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, NotRequired, Unpack, get_args, get_origin, get_type_hints

from nncli.config.trust import refuse
from nncli.errors import Fault

# key -> (the class that its target must derive from, arguments that nn itself passes)
SLOTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "task": ("nncli.tasks.base.Task", ()),
    "model": ("torch.nn.Module", ()),
    "data": ("nncli.data.base.Data", ()),
    "transform": ("torch.nn.Module", ()),
    "loss": ("torch.nn.Module", ()),
    "optimizer": ("torch.optim.Optimizer", ("params",)),
    "scheduler": ("torch.optim.lr_scheduler.LRScheduler", ("optimizer", "total_steps", "mode")),
    "init": ("nncli.models.init.Init", ()),
    "updates": ("nncli.optim.updates.Updates", ()),
    "groups": ("nncli.optim.groups.Groups", ()),
    "logger": ("lightning.pytorch.loggers.Logger", ("save_dir",)),
}
ROOTS = ("task", "data", "logger")  # built by nn; every other component is built because one of these refers to it
FIRST = "init_from"  # a key of every net: the run or file that its initial weights are from; no argument of its class
PARTIAL = ("optimizer", "scheduler")  # they lack an argument until training starts
UNUSED = "is not used here; of Hydra's own keys only _target_ and _partial_ are"


def slot_of(key: str) -> str:
    """The slot of a top-level key: its own name, or the part before the underscore, as in model_teacher."""
    kind = key.partition("_")[0]
    return kind if kind in SLOTS and kind not in ROOTS else key if key in SLOTS else ""


def is_net(key: str) -> bool:
    """Whether a top-level key holds a net: model, model_teacher …"""
    return slot_of(key) == "model"


def base(key: str) -> type:
    """The class that a section's target must derive from; nn.Module for a section that is not a slot."""
    module, _, name = SLOTS[slot_of(key) or "model"][0].rpartition(".")
    return getattr(importlib.import_module(module), name)


def injected(key: str) -> tuple[str, ...]:
    """The arguments that nn itself passes when the slot's target is built."""
    return SLOTS[slot][1] if (slot := slot_of(key)) else ()


def target_class(target: Any, trust: Collection[str]) -> type | Fault:
    """The class that a target names, or why it may not or cannot be imported. Refuses before it imports."""
    if fault := refuse(target, trust):
        return fault
    module_name, _, name = target.rpartition(".")
    if target.partition(".")[0] in trust and "" not in sys.path and _here() not in sys.path:
        sys.path.append(_here())  # at the end: a file here never hides an installed package
    try:
        found = getattr(importlib.import_module(module_name), name, None)
    except ImportError as error:
        return "unknown-class", f"cannot be imported: {_one_line(error)}"
    except Exception as error:  # whatever a person's own module does when it is imported
        return "unknown-class", f"cannot be imported: {type(error).__name__}: {_one_line(error)}"
    if found is None:
        return "unknown-class", f"{module_name} does not contain {name}"
    if not inspect.isclass(found):
        return "wrong-class", "is not a class"
    if target.startswith("nncli.") and found.__module__ != module_name:
        return "unknown-class", f"is not defined in {module_name}"
    return found


def _here() -> str:
    import os

    return os.getcwd()


def _one_line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error))[:300]


def parameters(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """The parameters that can be passed by name, each with its annotation evaluated; `self` is left out."""
    called = function.__init__ if inspect.isclass(function) else function
    try:
        found = dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {"kwargs": inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)}
    try:
        hints = get_type_hints(called, include_extras=True)
    except Exception:  # third-party annotations may name what cannot be imported; then their types are not checked
        hints = {}
    found.pop("self", None)
    named: dict[str, inspect.Parameter] = {}
    for name, parameter in found.items():
        hint = hints.get(name, inspect.Parameter.empty)
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and get_origin(hint) is Unpack:
            named |= _passed_on(get_args(hint)[0])
        elif parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
            named[name] = parameter.replace(annotation=hint)
    return named


def _passed_on(bundle: type) -> dict[str, inspect.Parameter]:
    """The arguments that a class takes as `**parts: Unpack[Parts]`; those that may be left out are null then."""
    found = {}
    for name, hint in get_type_hints(bundle, include_extras=True).items():
        required = get_origin(hint) is not NotRequired
        default = inspect.Parameter.empty if required else None
        annotation = hint if required else get_args(hint)[0]
        found[name] = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    return found
