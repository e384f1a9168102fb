"""Muon (Jordan 2024, https://kellerjordan.github.io/posts/muon): orthogonalized momentum, for hidden weights.

torch's own Muon takes matrices only; this one also takes filters, and updates the other weights with AdamW.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, cast

import torch
from annotated_types import Ge, Interval
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

QUINTIC = (3.4445, -4.775, 2.0315)  # chosen so that small singular values grow fastest


def orthogonal(matrix: Tensor, iterations: int) -> Tensor:
    """An approximation of the nearest orthogonal matrix by Newton-Schulz iteration; singular values in [0.7, 1.2]."""
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


class Muon(Optimizer):
    """Groups with `hidden: true` are updated by Muon, others by AdamW at `adam_lr`.

    Of weights without groups, those of two or more dimensions are hidden. Filters (out, in, …) are flattened to
    matrices; an update is scaled by sqrt(rows / columns) where there are more rows. `renormalize` scales filters to the
    norm sqrt(out) before each update, so that `lr` is the relative size of an update: for nets that normalize after
    each convolution, where the scale of filters has no effect but grows.
    """

    splits_hidden: ClassVar[bool] = True  # asks for groups with `hidden`

    def __init__(
        self,
        params: ParamsT,
        lr: Annotated[float, Ge(0)],
        momentum: Annotated[float, Interval(ge=0, lt=1)],
        nesterov: bool,
        iterations: Annotated[int, Ge(1)],
        adam_lr: Annotated[float, Ge(0)],
        betas: tuple[float, float],
        eps: Annotated[float, Ge(0)],
        weight_decay: Annotated[float, Ge(0)],
        renormalize: bool,
    ) -> None:
        shared = {"momentum": momentum, "nesterov": nesterov, "iterations": iterations, "betas": tuple(betas)}
        shared["renormalize"] = renormalize
        defaults = {"lr": lr, "eps": eps, "weight_decay": weight_decay, **shared}
        groups = [half for group in _as_groups(params) for half in _marked(group)]
        super().__init__([{"lr": lr if g["hidden"] else adam_lr} | g for g in groups], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    (self._muon if group["hidden"] else self._adam)(weight, group)
        return loss

    def _muon(self, weight: Tensor, group: dict[str, Any]) -> None:
        grad, state = cast(Tensor, weight.grad), self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        kept = state["momentum"].lerp_(grad, 1 - group["momentum"])
        move = grad.lerp(kept, group["momentum"]) if group["nesterov"] else kept
        move = orthogonal(move.flatten(1), group["iterations"])
        if group["renormalize"] and weight.ndim > 2:
            weight.mul_(len(weight) ** 0.5 / weight.norm())
        scale = max(1.0, move.shape[0] / move.shape[1]) ** 0.5
        weight.add_(move.view_as(weight), alpha=-group["lr"] * scale)

    def _adam(self, weight: Tensor, group: dict[str, Any]) -> None:
        grad, state = cast(Tensor, weight.grad), self.state[weight]
        if not state:
            state |= {"step": 0, "mean": torch.zeros_like(weight), "square": torch.zeros_like(weight)}
        state["step"] += 1
        mean, square, (one, two) = state["mean"], state["square"], group["betas"]
        mean.lerp_(grad, 1 - one)
        square.lerp_(grad.square(), 1 - two)
        size = (square / (1 - two ** state["step"])).sqrt_().add_(group["eps"])
        weight.addcdiv_(mean, size, value=-group["lr"] / (1 - one ** state["step"]))


def _as_groups(params: ParamsT) -> list[dict[str, Any]]:
    items = cast(list[Any], list(params))
    return items if items and isinstance(items[0], dict) else [{"params": items}]


def _marked(group: dict[str, Any]) -> list[dict[str, Any]]:
    """A group with the key `hidden` as it is; another is split by the number of dimensions of its weights."""
    if "hidden" in group:
        return [group]
    weights = list(group["params"])
    halves = [(True, [w for w in weights if w.ndim > 1]), (False, [w for w in weights if w.ndim < 2])]
    return [group | {"params": half, "hidden": hidden} for hidden, half in halves if half]
