"""Which weights learn, which decay, how fast each layer moves, and the pull of L1: the rules weight by weight."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Interval
from torch import Tensor, nn
from torch.optim import Optimizer

from nncli.contracts import SplitsHidden
from nncli.errors import NnError


class Groups:
    """Rules by which a net's weights are grouped for the optimizer.

    Of the layers (or blocks) all learn, the last one, or so many of the last; from epoch `thaw` on all of them. Frozen
    weights stay in their group: without a gradient nothing is done or kept for them.

    Weight decay is for matrices and filters: norms, biases and other vectors do without unless `decay_vectors`.
    A layer's rate is `layer_decay` to the power of its distance from the output. The gradient of `l1 * |w|` is added
    to that of every weight that may decay.
    """

    def __init__(
        self,
        decay_vectors: bool,
        layer_decay: Annotated[float, Interval(gt=0, le=1)],
        l1: Annotated[float, Ge(0)],
        train: Literal["all", "head"] | Annotated[int, Ge(1)] = "all",  # runs made before there was a choice have none
        thaw: Annotated[int, Ge(1)] | None = None,
    ) -> None:
        if thaw is not None and train == "all":
            raise NnError(f"groups.thaw={thaw} frees layers that groups.train=all never freezes: say groups.train=head")
        self.decay_vectors, self.layer_decay, self.l1 = decay_vectors, layer_decay, l1
        self.last = {"all": None, "head": 1}.get(str(train), train)  # how many layers learn from the start
        self.thaw = thaw
        self._names: list[str] = []  # of the weights that are frozen and would learn otherwise
        self._frozen: list[nn.Parameter] = []

    def freeze(self, net: nn.Module, epoch: int = 0, shared: bool = False) -> None:
        """Hold what does not learn in this epoch: no gradient, and its norms and dropout as in use.

        Several devices agree before training on who has gradients, so there those of a net that will thaw are made
        and thrown away (`shared`).
        """
        if self.last is None:
            return
        still = self._still(net)
        self._names = self._names or [n for n, w in net.named_parameters() if w.requires_grad and id(w) in still]
        self._frozen = [net.get_parameter(name) for name in self._names]  # anew: the net may have been shared out
        held = self.thaw is None or epoch < self.thaw
        for weight in self._frozen:
            weight.requires_grad_(not held or (shared and self.thaw is not None))
        for module in net.modules():
            weights = [id(w) for w in module.parameters()]
            if weights and still.issuperset(weights):
                module.train(not held)

    def _still(self, net: nn.Module) -> set[int]:
        """The weights (by id) of all but the last layers."""
        return set() if self.last is None else {key for key, away in distances(net).items() if away >= int(self.last)}

    def drop(self, epoch: int) -> None:
        """Take the gradients from weights that are still frozen."""
        if self.thaw is not None and epoch < self.thaw:
            for weight in self._frozen:
                weight.grad = None

    def make(self, optimizer: Callable[..., Optimizer], net: nn.Module) -> Optimizer:
        """The optimizer over the net's groups. The first group has the highest rate: it is the one that is shown."""
        kind, given = (optimizer.func, optimizer.keywords) if isinstance(optimizer, partial) else (optimizer, {})
        whole = isinstance(kind, SplitsHidden) and kind.splits_hidden
        found = self.split(net, decays=given.get("weight_decay", 0) != 0, hidden=whole)
        if len(found) == 1 and not whole:
            return optimizer(found[0]["params"])
        try:
            made = optimizer(found)
        except ValueError as error:
            if "per-parameter options" not in str(error):
                raise
            text = "lbfgs treats all weights alike: it goes with neither regularization.layer_decay nor groups.train"
            raise NnError(text) from error
        for group in made.param_groups:
            group["lr"] = group["lr"] * group.pop("share")
        return made

    def split(self, net: nn.Module, *, decays: bool, hidden: bool) -> list[dict[str, Any]]:
        """Groups of weights with what sets each apart; one group where nothing does."""
        distance = distances(net) if self.layer_decay < 1 else {}
        inside = {id(w) for w in hidden_weights(net)} if hidden else set()
        still = self._still(net)  # apart: some optimizers want all weights of a group to have gradients, or none
        rows: dict[tuple[int, bool, bool, bool], list[Tensor]] = {}
        for weight in net.parameters():
            free = decays and not self.decay_vectors and weight.ndim < 2
            key = (distance.get(id(weight), 0), id(weight) in still, id(weight) not in inside, free)
            rows.setdefault(key, []).append(weight)
        found = []
        for (away, _, outside, free), weights in sorted(rows.items(), key=lambda row: row[0]):
            group: dict[str, Any] = {"params": weights, "share": self.layer_decay**away}
            found.append(group | ({"weight_decay": 0.0} if free else {}) | ({"hidden": not outside} if hidden else {}))
        return found

    @torch.no_grad()
    def pull(self, net: nn.Module) -> None:
        """Add the gradient of the L1 penalty."""
        if not self.l1:
            return
        for weight in net.parameters():
            if weight.grad is not None and (self.decay_vectors or weight.ndim > 1):
                weight.grad.add_(weight.sign(), alpha=self.l1)


def hidden_weights(net: nn.Module) -> list[nn.Parameter]:
    """Matrices and filters between the embeddings and the output: what an optimizer for matrices is made for."""
    looked_up = {id(w) for m in net.modules() if isinstance(m, nn.Embedding) for w in m.parameters()}
    own = {id(w) for w in net.parameters(recurse=False)}  # positions and tokens that the net itself holds
    wide = [w for w in net.parameters() if w.ndim > 1 and id(w) not in looked_up | own]
    away = distances(net)
    output = min(reversed(wide), key=lambda w: away[id(w)], default=None)  # some nets name it first
    return [w for w in wide if w is not output]


def distances(net: nn.Module) -> dict[int, int]:
    """How many layers or blocks each weight is away from the output, by the weight's id."""
    found: dict[int, int] = {}
    depth = 0
    for part in _parts(net):
        weights = [w for w in part.parameters() if id(w) not in found]
        depth += any(w.ndim > 1 for w in weights) or depth == 0  # a norm belongs to the layer before it
        found |= {id(w): depth for w in weights}
    found = {id(w): 1 for w in net.parameters()} | found  # what the net itself holds is at the input
    return {key: max(depth, 1) - at for key, at in found.items()}


def _parts(net: nn.Module) -> list[nn.Module]:
    """The net's layers and blocks in their order: children, those of plain containers taken one by one."""
    found: list[nn.Module] = []
    for child in net.children():
        plain = isinstance(child, nn.Sequential | nn.ModuleList)
        found += _parts(child) if plain else [child] if any(True for _ in child.parameters()) else []
    return found
