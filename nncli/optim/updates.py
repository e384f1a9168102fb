"""How a net's weights are updated: the optimizer, its schedule, and the rules for single weights."""

import inspect
from collections.abc import Callable
from typing import Any, Literal

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from nncli.optim.groups import Groups


class Updates:
    """The three config sections that define the updates, made into an optimizer once there is a net."""

    def __init__(
        self,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., LRScheduler] | None = None,
        groups: Groups | None = None,
    ) -> None:
        self.optimizer, self.scheduler = optimizer, scheduler
        self.groups = groups or Groups(decay_vectors=True, layer_decay=1.0, l1=0.0)

    def make(self, net: nn.Module) -> Optimizer:
        """The optimizer over the net's weights."""
        return self.groups.make(self.optimizer, net)

    def schedule(self, optimizer: Optimizer, *, total_steps: int, mode: Literal["min", "max"]) -> LRScheduler | None:
        """The schedule of an optimizer that takes `total_steps`; `mode` is that of the monitored metric."""
        if self.scheduler is None:
            return None
        accepted = inspect.signature(self.scheduler).parameters
        values: dict[str, Any] = {"total_steps": total_steps, "mode": mode}
        return self.scheduler(optimizer, **{name: value for name, value in values.items() if name in accepted})
