"""Lion ("Symbolic Discovery of Optimization Algorithms", Chen et al. 2023)."""

from collections.abc import Callable
from typing import Annotated, Any, cast

import torch
from annotated_types import Ge
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT


class Lion(Optimizer):
    """Every weight moves by the learning rate, against the sign of an interpolation of momentum and gradient."""

    def __init__(
        self,
        params: ParamsT,
        lr: Annotated[float, Ge(0)],
        betas: tuple[float, float],
        weight_decay: Annotated[float, Ge(0)],
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": tuple(betas), "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [w for w in group["params"] if w.grad is not None]
            if weights:
                self._move(weights, group)
        return loss

    def _move(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        grads = [cast(Tensor, w.grad) for w in weights]
        for w in weights:
            if not self.state[w]:
                self.state[w]["momentum"] = torch.zeros_like(w)
        momenta = [self.state[w]["momentum"] for w in weights]
        rate, (inner, outer) = group["lr"], group["betas"]
        torch._foreach_mul_(weights, 1 - rate * group["weight_decay"])  # pyright: ignore[reportPrivateImportUsage]
        leaning = torch._foreach_lerp(momenta, grads, 1 - inner)  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_sign_(leaning)  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_add_(weights, leaning, alpha=-rate)  # pyright: ignore[reportPrivateImportUsage]
        torch._foreach_lerp_(momenta, grads, 1 - outer)  # pyright: ignore[reportPrivateImportUsage]
