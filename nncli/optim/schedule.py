"""Learning rates over a run, counted in optimizer steps."""

import math
from typing import Annotated, Any

from annotated_types import Ge, Interval
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class WarmupCosine(LRScheduler):
    """A straight rise to the optimizer's rate, then half a cosine down to `final` of it (Loshchilov & Hutter 2017).

    `warmup` below 1 is a share of all steps, otherwise a number of steps. The rate depends on the step alone, and the
    saved state on nothing else: loaded into a longer schedule, it goes on at that schedule's rate for the step.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: Annotated[int, Ge(1)],
        warmup: Annotated[float, Ge(0)],
        final: Annotated[float, Interval(ge=0, le=1)],
    ) -> None:
        self.total_steps = total_steps
        self.warmup_steps = min(total_steps, round(warmup * total_steps) if warmup < 1 else int(warmup))
        self.final = final
        super().__init__(optimizer)

    def share(self, step: int) -> float:
        """The rate at a step, as a share of the peak."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        falling = max(1, self.total_steps - self.warmup_steps)
        done = min(1.0, (step - self.warmup_steps) / falling)
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * done)) / 2

    def get_lr(self) -> list[float | Tensor]:
        return [base * self.share(self.last_epoch) for base in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch, "_step_count": self._step_count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._last_lr = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate
