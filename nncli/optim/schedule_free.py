"""Schedule-free AdamW ("The Road Less Scheduled", Defazio et al. 2024)."""

from collections.abc import Callable
from math import sqrt
from typing import Annotated, Any, cast

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT


class ScheduleFree(Optimizer):
    """Three versions of each weight: Adam updates `z`, `x` is the average of all z, and gradients are taken in between.

    The net holds y = beta x + (1 - beta) z. The result of training is x, so evaluate and save `averages()`. A step at
    the rate r has the weight r squared in the average, so that warmup steps count less.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: Annotated[float, Ge(0)],
        betas: tuple[float, float],
        eps: Annotated[float, Ge(0)],
        weight_decay: Annotated[float, Ge(0)],
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay})

    def averages(self) -> dict[Parameter, Tensor]:
        """The average x of each weight that has been updated."""
        return {cast(Parameter, weight): state["x"] for weight, state in self.state.items() if state}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            alike: dict[tuple[int, float], list[Tensor]] = {}  # weights that are unfrozen later count from then on
            for weight in group["params"]:
                if weight.grad is not None:
                    state = self.state[weight] or self._begun(weight)
                    alike.setdefault((state["step"], state["total"]), []).append(weight)
            for (steps, total), weights in alike.items():
                self._move(weights, steps + 1, total, group)
        return loss

    def _begun(self, weight: Tensor) -> dict[str, Any]:
        fresh = {"z": weight.clone(), "x": weight.clone(), "square": torch.zeros_like(weight)}
        self.state[weight] |= {"step": 0, "total": 0.0, **fresh}
        return self.state[weight]

    def _move(self, weights: list[Tensor], step: int, total: float, group: dict[str, Any]) -> None:
        states, grads = [self.state[w] for w in weights], [cast(Tensor, w.grad) for w in weights]
        z, x, square = ([state[part] for state in states] for part in ("z", "x", "square"))
        between, memory = group["betas"]
        rate = group["lr"] * sqrt(1 - memory**step)
        total += rate**2
        torch._foreach_mul_(square, memory)  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_addcmul_(square, grads, grads, 1 - memory)  # pyright: ignore[reportPrivateImportUsage]
        size = torch._foreach_sqrt(square)  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_add_(size, group["eps"])  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_add_(z, weights, alpha=-rate * group["weight_decay"])  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_addcdiv_(z, grads, size, -rate)  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_lerp_(x, z, rate**2 / total if total else 0.0)  # pyright: ignore[reportPrivateImportUsage]
        y = torch._foreach_lerp(z, x, between)  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_copy_(weights, y)  # pyright: ignore[reportPrivateImportUsage]
        for state in states:
            state |= {"step": step, "total": total}
