"""Whether optimizers loaded from a checkpoint agree with the config."""

import inspect
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from nncli.config.origin import spelled
from nncli.errors import CheckpointError

Settings = dict[str, Any]
KNOWN = ("torch.", "nncli.")  # optimizers whose groups hold only settings; others may store counters in theirs
MOVED = {
    "max_momentum": ("momentum", "betas"),
    "base_momentum": ("momentum", "betas"),
}  # changed by schedules that add the first key


def stated(optimizers: Sequence[Optimizer]) -> list[list[Settings]]:
    """The settings of each group as created from the config, with those that a schedule has added."""
    return [[_settings(optimizer, group) for group in optimizer.param_groups] for optimizer in optimizers]


def check_optimizers(optimizers: Sequence[Optimizer], fresh: list[list[Settings]], path: Path) -> None:
    """Raise CheckpointError if what was loaded does not agree with the config, or cannot be used for a step."""
    for optimizer, settings in zip(optimizers, fresh, strict=True):
        for group, expected in zip(optimizer.param_groups, settings, strict=True):
            for key, value in expected.items():
                _check_setting(group, key, value, path)
            if not _is_rate(group["lr"]):
                raise CheckpointError(f"{path} has an invalid learning rate: {_shown(group['lr'])}")
            if group.get("fused"):
                _check_fused(optimizer, group, path)


def _settings(optimizer: Optimizer, group: dict[str, Any]) -> Settings:
    moved = {key for added, keys in MOVED.items() if added in group for key in keys}
    keys = group.keys() - {"params", "lr"} - moved
    if not type(optimizer).__module__.startswith(KNOWN):
        keys &= inspect.signature(type(optimizer)).parameters.keys()
    return {key: group[key] for key in sorted(keys)}


def _check_setting(group: dict[str, Any], key: str, expected: Any, path: Path) -> None:
    if key not in group:
        raise CheckpointError(f"{path} has an optimizer without {key}; its config says {_shown(expected)}")
    if not _alike(group[key], expected):
        raise CheckpointError(
            f"{path} has an optimizer with {key} = {_shown(group[key])}, and its config says {_shown(expected)}: "
            "restore the run's own checkpoint"
        )


def _alike(found: Any, expected: Any) -> bool:
    """Whether two settings are equal; a tuple may have become a list."""
    if isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(_alike, found, expected))
    if isinstance(found, Tensor) or isinstance(expected, Tensor):
        return isinstance(found, Tensor) and isinstance(expected, Tensor) and torch.equal(found.cpu(), expected.cpu())
    return bool(found == expected)


def _is_rate(rate: Any) -> bool:
    if isinstance(rate, Tensor):
        return rate.numel() == 1 and rate.is_floating_point() and math.isfinite(rate.item())
    return isinstance(rate, int | float) and math.isfinite(rate) and rate >= 0


def _check_fused(optimizer: Optimizer, group: dict[str, Any], path: Path) -> None:
    """Fused steps do not check sizes: a tensor too small for its weight would be read and written beyond its end."""
    for weight in group["params"]:
        for key, value in _items(optimizer.state.get(weight, {})):
            if value is None and key == "momentum_buffer":  # as SGD without momentum leaves it
                continue
            if isinstance(value, Tensor) and _suits(key, value, weight):
                continue
            due = "a number of steps" if key == "step" else f"a dense tensor of the size {list(weight.shape)}"
            raise CheckpointError(
                f"{path} has an optimizer whose {key} is {_shown(value)}, and its weight needs {due}: "
                "restore the run's own checkpoint"
            )


def _items(state: Any) -> Iterator[tuple[Any, Any]]:
    yield from state.items() if isinstance(state, dict) else [("state", state)]


def _suits(key: Any, value: Tensor, weight: Tensor) -> bool:
    if value.layout != torch.strided or not value.is_floating_point():
        return False
    if key == "step":
        return value.ndim == 0 and 0 <= value.item() < math.inf
    room = value.untyped_storage().nbytes() // value.element_size() - value.storage_offset()
    return value.shape == weight.shape and room >= value.numel()  # an expanded tensor has less storage than elements


def _shown(value: Any) -> str:
    if not isinstance(value, Tensor):
        return spelled(value)[:80]
    return f"a tensor of the size {list(value.shape)}" if value.ndim else f"a tensor of {value.item():g}"
