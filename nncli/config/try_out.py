"""Optimizer and scheduler built once, on a dummy weight: what their constructors refuse is known before training."""

import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from nncli.config.slots import parameters, slot_of

_EXTRAS = {"TensorBoardLogger": "tensorboard", "MLFlowLogger": "mlflow", "WandbLogger": "wandb"}
_MARKERS = ("_target_", "_partial_")


def refusals(classes: Mapping[str, type], resolved: Mapping[str, Any]) -> dict[str, str]:
    """Each optimizer and scheduler that cannot be built, and what its constructor says."""
    import torch

    found: dict[str, str] = {}
    weight = torch.nn.Parameter(torch.zeros(2, 2))
    optimizer: Any = torch.optim.SGD([weight], lr=0.1)
    for slot, cls in classes.items():
        first = [weight] if slot_of(slot) == "optimizer" else optimizer
        from_nn = {"total_steps": 100, "mode": "min"}
        arguments: dict[str, Any] = {name: from_nn[name] for name in from_nn if name in parameters(cls)}
        arguments |= {k: v for k, v in resolved[slot].items() if k not in _MARKERS}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                cls(first, **arguments)
        except Exception as error:  # a constructor may raise anything
            found[slot] = str(error).strip() or type(error).__name__
    return found


def extra_needed(logger: type | None) -> str:
    """The command that installs the package that a logger needs, if it is missing."""
    package = _EXTRAS.get(logger.__name__, "") if logger else ""
    if not package or find_spec(package):
        return ""
    return f"needs a package that is not installed: pip install 'nncli[{package}]'"
