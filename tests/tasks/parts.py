"""A task of the few parts that a test cares for, and its training by the program's own Learner on the CPU."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeVar

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from nncli.contracts import Batch
from nncli.data.base import Data
from nncli.optim.groups import Groups
from nncli.optim.updates import Updates
from nncli.run.learner import Learner
from nncli.run.placement import Placement, trainer_settings
from nncli.run.quiet import quiet_libraries
from nncli.run.trainer import learner, lightning_trainer
from nncli.tasks.base import Task
from nncli.transforms.transform import Transform

AnyTask = TypeVar("AnyTask", bound=Task)


def made(
    kind: type[AnyTask],
    net: nn.Module,
    *,
    scale: nn.Module | None = None,
    mix: nn.Module | None = None,
    loss: nn.Module | None = None,
    optimizer: Callable[..., Optimizer] | None = None,
    scheduler: Callable[..., LRScheduler] | None = None,
    groups: Groups | None = None,
    monitor: str = "val/loss",
    **own: Any,
) -> AnyTask:
    """A task; what is left out is cross-entropy, plain descent, and inputs as they are. `own`: the kind's own."""
    return kind(
        net=net,
        transform=Transform(scale or nn.Identity(), [], mix),
        loss=loss or nn.CrossEntropyLoss(),
        updates=Updates(optimizer or partial(SGD, lr=0.5), scheduler, groups),
        monitor=monitor,
        **own,
    )


def step(task: Task, optimizer: Optimizer, batch: Batch) -> None:
    """Move the weights once, without a trainer."""
    optimizer.zero_grad()
    task.training_loss(batch).backward()
    optimizer.step()


def measured(task: Task, *batches: Batch) -> dict[str, float]:
    """The metrics of a part that comes in these batches."""
    with torch.no_grad():
        rows = [task.metric_sums(batch).double() for batch in batches]
    return task.metrics_from(torch.stack(rows).sum(0).tolist())


def settings(epochs: int, **changed: Any) -> dict[str, Any]:
    """A whole `trainer` section: the CPU, one process, and nothing that was not asked for."""
    off: dict[str, Any] = dict.fromkeys(("max_steps", "grad_clip", "ema", "early_stopping", "threads", "limit_batches"))
    plain: dict[str, Any] = {"devices": 1, "num_nodes": 1, "accumulate": 1, "log_every": 50, "val_every": 1}
    plain |= {"compile": False, "channels_last": False, "deterministic": True, "overfit_batches": 0, "timeout": 60}
    plain |= {"accelerator": "cpu", "strategy": "auto", "precision": "32", "max_epochs": epochs}
    return trainer_settings(**(off | plain | changed))


def learned(
    task: Task, data: Data, epochs: int, *, precision: Literal["32", "bf16"] = "32", **changed: Any
) -> tuple[Learner, Trainer]:
    """Train a task as a run does; `changed` are keys of the `trainer` section."""
    section, where = settings(epochs, precision=precision, **changed), Placement("cpu", 1, 1, "single", precision)
    trainer = lightning_trainer(section, where)
    module = learner(task, data.train_dataloader(), section, where)
    with quiet_libraries():
        trainer.fit(module, module.batches, data.val_dataloader())
    return module, trainer


def final_results(task: Task, data: Data, precision: Literal["32", "bf16"] = "32") -> dict[str, float]:
    """The metrics of the test part, as at the end of a run."""
    section, where = settings(1), Placement("cpu", 1, 1, "single", precision)
    module = learner(task, data.train_dataloader(), section, where)
    with quiet_libraries():
        lightning_trainer(section, where).test(module, dataloaders=data.test_dataloader(), verbose=False)
    return module.results


def weights(task: Task) -> Tensor:
    """All weights of a task's net in one row."""
    return torch.cat([weight.detach().flatten() for weight in task.net.parameters()])
