"""Rules for single weights: which are trained, which decay, the learning rate of each layer, and the L1 penalty."""

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

    `train` selects the layers (or blocks) that are trained: all, the last one, or a number of the last; from epoch
    `thaw` on all are. Frozen weights stay in their group: without a gradient, the optimizer skips them.

    Weight decay applies to matrices and filters, and to norms, biases and other vectors only with `decay_vectors`.
    The learning rate of a layer is scaled by `layer_decay` to the power of its distance from the output. The gradient
    of `l1 * |w|` is added to that of every weight to which decay applies.
    """

    def __init__(
        self,
        decay_vectors: bool,
        layer_decay: Annotated[float, Interval(gt=0, le=1)],
        l1: Annotated[float, Ge(0)],
        train: Literal["all", "head"] | Annotated[int, Ge(1)] = "all",  # absent from the configs of older runs
        thaw: Annotated[int, Ge(1)] | None = None,
    ) -> None:
        if thaw is not None and train == "all":
            raise NnError(
                f"groups.thaw={thaw} has no effect, as groups.train=all freezes nothing; set groups.train=head"
            )
        self.decay_vectors, self.layer_decay, self.l1 = decay_vectors, layer_decay, l1
        self.last = {"all": None, "head": 1}.get(str(train), train)  # how many layers are trained from the start
        self.thaw = thaw
        self._names: list[str] = []  # of the weights that are frozen and would be trained otherwise
        self._frozen: list[nn.Parameter] = []

    def freeze(self, net: nn.Module, epoch: int = 0, shared: bool = False) -> None:
        """Freeze what is not trained in this epoch: no gradients, and norms and dropout in evaluation mode.

        Several devices agree before training which weights have gradients, so with `shared` the gradients of weights
        that will be unfrozen later are computed, and discarded until then.
        """
        if self.last is None:
            return
        still = self._still(net)
        self._names = self._names or [n for n, w in net.named_parameters() if w.requires_grad and id(w) in still]
        self._frozen = [net.get_parameter(name) for name in self._names]  # again: sharding may have replaced them
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
        """Discard the gradients of weights that are still frozen."""
        if self.thaw is not None and epoch < self.thaw:
            for weight in self._frozen:
                weight.grad = None

    def make(self, optimizer: Callable[..., Optimizer], net: nn.Module) -> Optimizer:
        """The optimizer over the net's groups. The first group has the highest rate, which is the one displayed."""
        kind, arguments = (optimizer.func, optimizer.keywords) if isinstance(optimizer, partial) else (optimizer, {})
        whole = isinstance(kind, SplitsHidden) and kind.splits_hidden
        groups = self.split(net, decays=arguments.get("weight_decay", 0) != 0, hidden=whole)
        if len(groups) == 1 and not whole:
            return optimizer(groups[0]["params"])
        try:
            made = optimizer(groups)
        except ValueError as error:
            if "per-parameter options" not in str(error):
                raise
            text = "optimizer=lbfgs treats all weights alike, without regularization.layer_decay or groups.train"
            raise NnError(text) from error
        for group in made.param_groups:
            group["lr"] = group["lr"] * group.pop("share")
        return made

    def split(self, net: nn.Module, *, decays: bool, hidden: bool) -> list[dict[str, Any]]:
        """The weights in groups, with the settings of each; one group where all weights have the same."""
        distance = distances(net) if self.layer_decay < 1 else {}
        inside = {id(w) for w in hidden_weights(net)} if hidden else set()
        still = self._still(net)  # separate: some optimizers need gradients for all weights of a group, or none
        rows: dict[tuple[int, bool, bool, bool], list[Tensor]] = {}
        for weight in net.parameters():
            free = decays and not self.decay_vectors and weight.ndim < 2
            key = (distance.get(id(weight), 0), id(weight) in still, id(weight) not in inside, free)
            rows.setdefault(key, []).append(weight)
        groups = []
        for (away, _, outside, free), weights in sorted(rows.items(), key=lambda row: row[0]):
            group: dict[str, Any] = {"params": weights, "share": self.layer_decay**away}
            groups.append(group | ({"weight_decay": 0.0} if free else {}) | ({"hidden": not outside} if hidden else {}))
        return groups

    @torch.no_grad()
    def pull(self, net: nn.Module) -> None:
        """Add the gradient of the L1 penalty."""
        if not self.l1:
            return
        for weight in net.parameters():
            if weight.grad is not None and (self.decay_vectors or weight.ndim > 1):
                weight.grad.add_(weight.sign(), alpha=self.l1)


def hidden_weights(net: nn.Module) -> list[nn.Parameter]:
    """Matrices and filters between the embeddings and the output layer, for optimizers such as Muon."""
    looked_up = {id(w) for m in net.modules() if isinstance(m, nn.Embedding) for w in m.parameters()}
    own = {id(w) for w in _inside(net).parameters(recurse=False)}  # such as position embeddings and class tokens
    wide = [w for w in net.parameters() if w.ndim > 1 and id(w) not in looked_up | own]
    away = distances(net)
    output = min(reversed(wide), key=lambda w: away[id(w)], default=None)  # some nets name it first
    return [w for w in wide if w is not output]


def distances(net: nn.Module) -> dict[int, int]:
    """The distance of each weight from the output in layers or blocks, by the weight's id."""
    depths: dict[int, int] = {}
    depth = 0
    for part in _parts(_inside(net)):
        weights = [w for w in part.parameters() if id(w) not in depths]
        depth += any(w.ndim > 1 for w in weights) or depth == 0  # a norm belongs to the layer before it
        depths |= {id(w): depth for w in weights}
    depths = {id(w): 1 for w in net.parameters()} | depths  # the net's own parameters count as input
    return {key: max(depth, 1) - at for key, at in depths.items()}


def _inside(net: nn.Module) -> nn.Module:
    """The net that a net consists of, such as that in a pruned one; most are their own."""
    children = list(net.children())
    alone = len(children) == 1 and not list(net.parameters(recurse=False)) and list(children[0].children())
    return _inside(children[0]) if alone else net


def _parts(net: nn.Module) -> list[nn.Module]:
    """The net's layers and blocks in their order: its children, with plain containers flattened."""
    parts: list[nn.Module] = []
    for child in net.children():
        plain = isinstance(child, nn.Sequential | nn.ModuleList)
        parts += _parts(child) if plain else [child] if any(True for _ in child.parameters()) else []
    return parts
