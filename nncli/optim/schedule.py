"""Learning rates over a run, in optimizer steps, so that a schedule ends when training ends.

Counts below 1 are fractions of the steps, others are numbers of steps.
"""

import math
from typing import Annotated, Any

from annotated_types import Ge, Gt, Interval
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

Share = Annotated[float, Interval(ge=0, le=1)]
Count = Annotated[float, Ge(0)]


def counted(count: float, steps: int) -> int:
    """A number of steps, from a fraction or a number."""
    return min(steps, round(count * steps) if count < 1 else int(count))


def falling(done: float) -> float:
    """Half a cosine, from 1 at 0 to 0 at 1."""
    return (1 + math.cos(math.pi * done)) / 2


class Schedule(LRScheduler):
    """A linear warmup over `warmup` to where `shape` starts, then `shape` to the end.

    The rate depends on the step alone, and so does the saved state: loaded into a longer schedule, it continues with
    that schedule's rate for the step. Each group of the optimizer scales its own base rate.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup: float) -> None:
        self.total_steps = total_steps
        self.warmup_steps = counted(warmup, total_steps)
        self.steps = max(1, total_steps - self.warmup_steps)  # after the warmup
        super().__init__(optimizer)

    def shape(self, step: int) -> float:
        """The factor on the optimizer's rate, `step` of `self.steps` steps after the warmup."""
        raise NotImplementedError

    def share(self, step: int) -> float:
        """The factor on the optimizer's rate at a step of the run."""
        if step < self.warmup_steps:
            return self.shape(0) * (step + 1) / self.warmup_steps
        return self.shape(min(self.steps, step - self.warmup_steps))

    def get_lr(self) -> list[float | Tensor]:
        return [base * self.share(self.last_epoch) for base in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch, "_step_count": self._step_count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if any(type(state_dict[key]) is not int for key in ("last_epoch", "_step_count")):
            raise ValueError("the state of a schedule must be two step counts")
        super().load_state_dict(state_dict)
        self._last_lr = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate


class Constant(Schedule):
    """The same rate to the end."""

    def __init__(self, optimizer: Optimizer, total_steps: Annotated[int, Ge(1)], warmup: Count) -> None:
        super().__init__(optimizer, total_steps, warmup)

    def shape(self, step: int) -> float:
        return 1.0


class WarmupCosine(Schedule):
    """Half a cosine down to `final` (Loshchilov & Hutter 2017)."""

    def __init__(self, optimizer: Optimizer, total_steps: Annotated[int, Ge(1)], warmup: Count, final: Share) -> None:
        self.final = final
        super().__init__(optimizer, total_steps, warmup)

    def shape(self, step: int) -> float:
        return self.final + (1 - self.final) * falling(step / self.steps)


class Linear(Schedule):
    """Linear decay to `final`."""

    def __init__(self, optimizer: Optimizer, total_steps: Annotated[int, Ge(1)], warmup: Count, final: Share) -> None:
        self.final = final
        super().__init__(optimizer, total_steps, warmup)

    def shape(self, step: int) -> float:
        return 1 - (1 - self.final) * step / self.steps


class Exponential(Schedule):
    """Exponential decay by the same factor at every step, so that the run ends at `final`."""

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: Annotated[int, Ge(1)],
        warmup: Count,
        final: Annotated[float, Interval(gt=0, le=1)],
    ) -> None:
        self.final = final
        super().__init__(optimizer, total_steps, warmup)

    def shape(self, step: int) -> float:
        return self.final ** (step / self.steps)


class InverseSqrt(Schedule):
    """One over the square root of the step (Vaswani et al. 2017); the longer the warmup, the slower the fall."""

    def __init__(self, optimizer: Optimizer, total_steps: Annotated[int, Ge(1)], warmup: Count) -> None:
        super().__init__(optimizer, total_steps, warmup)

    def shape(self, step: int) -> float:
        start = max(1, self.warmup_steps)
        return math.sqrt(start / (start + step))


class Trapezoid(Schedule):
    """Constant rate, then linear decay to `final` over the last `cooldown` (Zhai et al. 2022)."""

    def __init__(
        self, optimizer: Optimizer, total_steps: Annotated[int, Ge(1)], warmup: Count, cooldown: Count, final: Share
    ) -> None:
        self.cooldown, self.final = counted(cooldown, total_steps), final
        super().__init__(optimizer, total_steps, warmup)

    def shape(self, step: int) -> float:
        length = min(self.cooldown, self.steps)
        done = step - (self.steps - length)
        return 1.0 if done <= 0 else 1 - (1 - self.final) * done / length


class Step(Schedule):
    """The rate is multiplied by `factor` after every `every` steps."""

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: Annotated[int, Ge(1)],
        warmup: Count,
        every: Annotated[float, Gt(0)],
        factor: Annotated[float, Gt(0)],
    ) -> None:
        self.every, self.factor = every, factor
        super().__init__(optimizer, total_steps, warmup)

    def shape(self, step: int) -> float:
        return self.factor ** (step // max(1, counted(self.every, self.steps)))


class MultiStep(Schedule):
    """The rate is multiplied by `factor` at each of the `milestones`, counted from the end of the warmup."""

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: Annotated[int, Ge(1)],
        warmup: Count,
        milestones: list[Annotated[float, Gt(0)]],
        factor: Annotated[float, Gt(0)],
    ) -> None:
        self.milestones, self.factor = milestones, factor
        super().__init__(optimizer, total_steps, warmup)

    def shape(self, step: int) -> float:
        # one that lies beyond the end is never reached
        passed = sum(step >= (m * self.steps if m < 1 else m) - 1e-9 for m in self.milestones)
        return self.factor**passed
