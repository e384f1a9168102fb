"""Training with nets that are sharded over the ranks (torch's FSDP2); checkpoints contain whole weights."""

import inspect
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.fsdp._fully_shard._fsdp_common import TrainingState
from torch.distributed.tensor import DTensor, Replicate, distribute_tensor
from torch.optim import SGD, Optimizer
from torch.utils._pytree import tree_map_only

from nncli.contracts import Trainable
from nncli.errors import NnError

STACKS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


class ShardedStrategy(DDPStrategy):
    """Each rank stores its shard of the weights, of their gradients and of the optimizer states."""

    def setup(self, trainer: Trainer) -> None:
        super(DDPStrategy, self).setup(trainer)  # without DDP's wrapper and its copies of the first rank's weights

    def _setup_model(self, model: Any) -> Any:
        return model

    def model_to_device(self) -> None:
        """Shard the nets first, so that no whole net has to fit on a device."""
        module: Any = self.lightning_module
        mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        module.sharded = shard(module.task, mesh)
        super().model_to_device()

    def setup_optimizers(self, trainer: Trainer) -> None:
        super().setup_optimizers(trainer)
        for optimizer in self.optimizers:
            if isinstance(optimizer, SGD) and optimizer.defaults["fused"]:
                _step_unfused(optimizer)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        return self._gathered(super().lightning_module_state_dict())

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        state: dict[str, Any] = super().optimizer_state(optimizer)
        return {**state, "state": {index: self._gathered(kept) for index, kept in state["state"].items()}}

    def _gathered(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The whole tensors on the first rank; nothing on the others, which do not write."""
        whole = {}
        for name, value in state.items():
            value = value.full_tensor().cpu() if isinstance(value, DTensor) else value
            if self.is_global_zero:
                whole[name] = value
        return whole

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        assert self.lightning_module is not None
        own = self.lightning_module.state_dict()
        state = {name: share(value, own.get(name)) for name, value in checkpoint["state_dict"].items()}
        super().load_model_state_dict({"state_dict": state}, strict=strict)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        states = []
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            kept = {
                index: {name: share(value, weights[index]) for name, value in values.items()}
                for index, values in state["state"].items()
            }
            states.append({**state, "state": kept})
        super().load_optimizer_state_dict({"optimizer_states": states})

    def teardown(self) -> None:
        """Leave the shards on the devices, since a test part may follow."""
        assert self.cluster_environment is not None
        assert self.accelerator is not None
        self.cluster_environment.teardown()
        self.precision_plugin.teardown()
        self.accelerator.teardown()


def _step_unfused(optimizer: Any) -> None:
    """Run SGD without fused steps, which torch supports for shards with Adam only; its settings do not change."""

    def fuse(optimizer: Any, *_: Any, fused: bool | None) -> None:
        for group in optimizer.param_groups:
            group["fused"] = fused

    optimizer._step_supports_amp_scaling = False  # only fused steps support it
    optimizer.register_step_pre_hook(partial(fuse, fused=None))
    optimizer.register_step_post_hook(partial(fuse, fused=True))


def share(value: Any, like: Any) -> Any:
    """This rank's shard of a whole tensor, if `like` is a shard; a tensor of another size is stored by every rank."""
    if not (isinstance(value, Tensor) and isinstance(like, DTensor) and value.ndim):
        return value
    placements = like.placements if value.shape == like.shape else [Replicate()]
    return distribute_tensor(value, like.device_mesh, placements, src_data_rank=None)


def shard(task: Trainable, mesh: DeviceMesh) -> list[FSDPModule]:
    """Shard the nets that are trained: each block of their stacks by itself, and the rest of a net together.

    A block's weights are gathered while it computes, the others from the net's forward to its backward.
    """
    nets = list(dict.fromkeys(root for turn in task.turns() for root in _roots(turn.net)))
    uses = Counter(id(weight) for net in nets for weight in _weights(net))
    for net in nets:
        if isinstance(net, FSDPModule):  # already sharded for training, and now tested
            continue
        if not _alone(net, uses):
            raise NnError(f"fsdp cannot shard weights that several nets share, as {type(net).__name__}: choose ddp")
        for name, weight in net.named_parameters():
            if not weight.ndim:
                raise NnError(f"fsdp cannot shard {name}, a weight without dimensions: choose ddp, or give it one")
        methods = _methods(net)
        for part in [*(block for block in _blocks(net) if _alone(block, uses)), net]:
            part.register_forward_hook(_no_view)
            fully_shard(part, mesh=mesh)
        for name in methods:
            _gather_in(net, name)
    return [net for net in nets if isinstance(net, FSDPModule)]


def _roots(net: nn.Module) -> list[nn.Module]:
    """The net, or the nets in it if it is only a container."""
    if type(net).forward is not nn.Module.forward:
        return [net]
    if any(True for _ in net.parameters(recurse=False)):
        raise NnError(f"fsdp cannot shard {type(net).__name__}, which has weights but no forward: choose ddp")
    return [root for child in net.children() for root in _roots(child)]


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The blocks in the stacks of a net; a stack of stacks counts as one stack."""
    for child in module.children():
        if isinstance(module, STACKS) and not isinstance(child, STACKS):
            if any(True for _ in child.parameters()) and type(child).forward is not nn.Module.forward:
                yield child
        else:
            yield from _blocks(child)


def _weights(module: nn.Module) -> list[nn.Parameter]:
    """The weights of a module; one that is used in several places is repeated."""
    return [weight for _, weight in module.named_parameters(remove_duplicate=False)]


def _alone(module: nn.Module, uses: Counter[int]) -> bool:
    """Whether the module's weights are used nowhere else."""
    inside = Counter(id(weight) for weight in _weights(module))
    return all(uses[key] == count for key, count in inside.items())


def _no_view(module: nn.Module, inputs: Any, output: Any) -> Any:
    """Copy views, whose hooks would be lost if they were changed in place."""
    return tree_map_only(Tensor, lambda t: t.clone() if t._is_view() else t, output)


def _methods(net: nn.Module) -> list[str]:
    """The public methods of a net except those of every module: a task may call them instead of the net."""
    kinds = [kind for kind in type(net).__mro__ if not kind.__module__.startswith("torch.")]
    names = {name for kind in kinds for name, value in vars(kind).items() if inspect.isfunction(value)}
    return sorted(name for name in names if not name.startswith("_") and not hasattr(nn.Module, name))


def _gather_in(net: nn.Module, name: str) -> None:
    """Make a method gather the net's weights like its forward, unless it is called by forward."""
    plain = getattr(net, name)
    register_fsdp_forward_method(net, name)
    gathering, state = getattr(net, name), fully_shard.state(net)  # type: ignore[attr-defined]

    def called(*args: Any, **kwargs: Any) -> Any:
        inside = state._training_state == TrainingState.FORWARD
        return (plain if inside else gathering)(*args, **kwargs)

    setattr(net, name, called)
