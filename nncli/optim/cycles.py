"""Learning rates that rise again, counted in optimizer steps."""

import math
from typing import Annotated

from annotated_types import Ge, Interval
from torch.optim import Optimizer

from nncli.optim.schedule import Count, Schedule, Share, falling

Cycles = Annotated[int, Ge(1)]


class CosineRestarts(Schedule):
    """`cycles` half cosines down to `final`, each `longer` times the one before (SGDR, Loshchilov & Hutter 2017)."""

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: Annotated[int, Ge(1)],
        warmup: Count,
        cycles: Cycles,
        longer: Annotated[float, Ge(1)],
        final: Share,
    ) -> None:
        self.lengths = [longer**cycle for cycle in range(cycles)]
        self.final = final
        super().__init__(optimizer, total_steps, warmup)

    def shape(self, step: int) -> float:
        if step >= self.steps:
            return self.final
        at, start = step / self.steps * sum(self.lengths) + 1e-9, 0.0  # rounding must not delay a restart
        for length in self.lengths:
            if at < start + length:
                return self.final + (1 - self.final) * falling((at - start) / length)
            start += length
        return self.final


class Cyclic(Schedule):
    """`cycles` triangles from `low` up and down again, each `shrink` times as high as the one before (Smith 2017)."""

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: Annotated[int, Ge(1)],
        warmup: Count,
        cycles: Cycles,
        low: Share,
        shrink: Annotated[float, Interval(gt=0, le=1)],
    ) -> None:
        self.cycles, self.low, self.shrink = cycles, low, shrink
        super().__init__(optimizer, total_steps, warmup)

    def shape(self, step: int) -> float:
        at = step / self.steps * self.cycles
        cycle = math.floor(at + 1e-9)
        height = 1 - abs(2 * (at - cycle) - 1)
        return self.low + (1 - self.low) * height * self.shrink**cycle


class OneCycle(Schedule):
    """Half a cosine up from `start` over the share `rise`, then one down to `final` (Smith & Topin 2018).

    It has a warmup of its own, so `warmup` is usually 0. The momentum does not change.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: Annotated[int, Ge(1)],
        warmup: Count,
        rise: Annotated[float, Interval(gt=0, lt=1)],
        start: Share,
        final: Share,
    ) -> None:
        self.rise, self.start, self.final = rise, start, final
        super().__init__(optimizer, total_steps, warmup)

    def shape(self, step: int) -> float:
        top, last = max(0.0, self.rise * self.steps - 1), self.steps - 1
        if step < top:
            return 1 - (1 - self.start) * falling(step / top)
        if step >= last > top:
            return self.final
        return self.final + (1 - self.final) * falling((step - top) / max(1.0, last - top))
