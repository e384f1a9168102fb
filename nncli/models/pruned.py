"""A net of an earlier run with part of its channels or weights removed, for fine-tuning."""

import warnings
from typing import Annotated, Any

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from nncli.errors import NnError

HEADS = ("heads", "num_heads", "num_attention_heads")  # attributes by which an attention layer is known
SPARSE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)  # layers whose single weights can be set to zero
TOGETHER = 16  # channels that a CPU computes together


class Pruned(nn.Module):
    """`net` without the least important `share` of each hidden layer, or with that share of its weights set to zero.

    Structured pruning removes channels and hidden units, so the tensors become smaller and the net faster
    (torch-pruning; Fang et al. 2023, "DepGraph"): those with the smallest L2 norm over all layers that depend on them.
    Wide layers keep a multiple of 16 channels, without which they would be slower. How many are removed depends on
    `share` only, so a checkpoint fits the net that is built from the same arguments. Outputs keep their size, and
    attention layers their width.

    Otherwise the weights with the smallest magnitude in the whole net are zero and remain zero; the tensors, and the
    time that they take, remain as they are.
    """

    def __init__(
        self,
        net: nn.Module,
        input_shape: list[int],
        share: Annotated[float, Interval(gt=0, lt=1)],
        structured: bool,
    ) -> None:
        super().__init__()
        self.input_shape, self.share, self.structured = list(input_shape), share, structured
        self._prune(net)
        self.net = net

    def derive(self, whole: nn.Module) -> str:
        """Take the most important weights of the whole net; returns a line that says what was removed."""
        before = _count(whole)
        self._prune(whole)
        self.net.load_state_dict(whole.state_dict())
        return f"pruned from {before:,} to {_count(self.net):,} weights"

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def _prune(self, net: nn.Module) -> None:
        if self.structured:
            _remove_channels(net, self._example(net), self.share)
        else:
            _mask_weights(net, self.share)

    def _example(self, net: nn.Module) -> Tensor:
        """One sample that the net accepts: of numbers, or of token ids."""
        reads_ids = any(isinstance(module, nn.Embedding) for module in net.modules())
        return torch.zeros(1, *self.input_shape, dtype=torch.long if reads_ids else torch.float32)


class Mask(nn.Module):
    """Sets the same weights of a tensor to zero whenever it is used."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.mask


def _remove_channels(net: nn.Module, example: Tensor, share: float) -> None:
    """Remove channels and hidden units in place; groups of layers that depend on each other lose the same ones."""
    try:
        import torch_pruning
    except ImportError as error:
        raise NnError("structured pruning needs torch-pruning: pip install 'nncli[shrink]'") from error
    before, training = _count(net), net.training
    attention = [m for m in net.modules() if any(isinstance(getattr(m, name, None), int) for name in HEADS)]
    groups: dict[str, Any] = {name: {} for name in ("in_channel_groups", "out_channel_groups", "num_heads")}
    try:
        with warnings.catch_warnings(action="ignore"), torch.enable_grad():
            norm = torch_pruning.importance.GroupMagnitudeImportance(p=2)
            # the groups are passed because the library's own defaults are shared by all its pruners
            pruner = torch_pruning.pruner.BasePruner(
                net, example, norm, pruning_ratio_dict=_ratios(net, share), ignored_layers=attention, **groups
            )
            pruner.ignored_layers += _outputs(pruner.DG)
            pruner.step()
            net(example)
    except Exception as error:  # a net of the person's own may do anything
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise NnError(
            f"the channels of {type(net).__name__} cannot be pruned; set structured to false ({why})"
        ) from error
    finally:
        net.train(training)
    if _count(net) == before:
        raise NnError(f"{type(net).__name__} has no hidden channels that could be removed; set structured to false")


def _ratios(net: nn.Module, share: float) -> dict[Any, float]:
    """The fraction to remove of each layer; half a channel less, so that the library rounds to the number kept."""
    ratios: dict[Any, float] = {}
    for layer in net.modules():
        if isinstance(layer, SPARSE):
            count = len(layer.weight)
            step = TOGETHER if count >= 2 * TOGETHER else 1
            kept = step * max(1, round(count * (1 - share) / step))
            ratios[layer] = 1 - (kept + 0.5) / count
    return ratios


def _outputs(graph: Any) -> list[nn.Module]:
    """The layers whose channels are the outputs of the net."""
    last = {node.module for node in graph.module2node.values() if not node.outputs}
    return [
        group[0][0].target.module
        for group in graph.get_all_groups()
        if any(link.target.module in last and graph.is_out_channel_pruning_fn(link.handler) for link, _ in group)
    ]


def _mask_weights(net: nn.Module, share: float) -> None:
    """Mask the weights with the smallest magnitude in all linear and convolutional layers together."""
    layers = [module for module in net.modules() if isinstance(module, SPARSE)]
    if not layers:
        raise NnError(
            f"{type(net).__name__} has no linear or convolutional layer, so none of its weights can be pruned"
        )
    weights = [layer.weight.detach() for layer in layers]
    flat = nn.utils.parameters_to_vector(weights)
    kept = prune.L1Unstructured(share).compute_mask(flat, torch.ones_like(flat))
    for layer, weight, mask in zip(layers, weights, kept.split([weight.numel() for weight in weights]), strict=True):
        parametrize.register_parametrization(layer, "weight", Mask(mask.view_as(weight)))


def _count(net: nn.Module) -> int:
    """The number of weights, without those that are masked."""
    masked = [
        layer.weight for layer in net.modules() if isinstance(layer, SPARSE) and parametrize.is_parametrized(layer)
    ]
    return sum(weight.numel() for weight in net.parameters()) - sum(int((weight == 0).sum()) for weight in masked)
