"""Lightning's Trainer and the module it trains, from the sections of the config."""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import CheckpointIO
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, Strategy

from nncli.contracts import Trainable
from nncli.run.callbacks.combined import Combined, NoProfiler
from nncli.run.callbacks.step import StepCallback
from nncli.run.checkpoint import load, save
from nncli.run.learner import Learner
from nncli.run.placement import Placement

# what our callbacks and data do instead of Lightning
QUIET: dict[str, Any] = {
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "use_distributed_sampler": False,
}


PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "32": "32-true",
    "bf16": "bf16-mixed",
    "16": "16-mixed",
}


class AtomicIO(CheckpointIO):
    """The plugin by which Lightning writes checkpoints that are complete or absent."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        save(checkpoint, Path(path))

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return load(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)


def learner(task: Trainable, batches: Any, section: dict[str, Any], where: Placement) -> Learner:
    """The module of a task that Lightning trains, with the settings of the section."""
    return Learner(
        task,
        batches,
        precision=where.precision,
        accumulate=section["accumulate"],
        grad_clip=section["grad_clip"],
        grad_clip_by=section.get("grad_clip_by", "norm"),
        max_epochs=section["max_epochs"],
        max_steps=section["max_steps"],
        steps_per_call=section.get("steps_per_call", "auto"),
    )


def lightning_trainer(
    section: dict[str, Any], where: Placement, callbacks: Sequence[StepCallback] = (), *, turns: int = 1, **more: Any
) -> Trainer:
    """Lightning's Trainer for this section, without what our callbacks and data do instead."""
    settings: dict[str, Any] = {
        **QUIET,
        "accelerator": where.accelerator,
        "devices": where.devices,
        "num_nodes": where.nodes,
        "strategy": _strategy(where, section["timeout"], turns),
        "inference_mode": where.strategy != "fsdp",  # weights gathered in inference mode could not be trained
        "max_epochs": section["max_epochs"],
        "max_steps": section["max_steps"] or -1,
        "check_val_every_n_epoch": section["val_every"],
        "deterministic": section["deterministic"],
        "callbacks": Combined(callbacks),
        "profiler": NoProfiler(),
        "logger": False,
    }
    trainer = Trainer(**settings | more, plugins=[*_alone(where), AtomicIO()])
    # keep our own handlers: Lightning's would swallow SIGINT and requeue SLURM jobs
    trainer._signal_connector.register_signal_handlers = lambda: None
    return trainer


def hosting_trainer(
    section: dict[str, Any], where: Placement, module: Any, callbacks: Sequence[Callback], **more: Any
) -> Trainer:
    """Lightning's Trainer for a LightningModule of the user's own, which Lightning trains in its usual way."""
    itself = module.automatic_optimization  # otherwise clipping and accumulating are up to the module
    clip = section["grad_clip"] if itself else None
    limit = section["limit_batches"]
    limits = {f"limit_{part}_batches": limit for part in ("train", "val", "test")} if limit is not None else {}
    trainer = Trainer(
        accelerator=where.accelerator,
        devices=where.devices,
        num_nodes=where.nodes,
        strategy=_strategy(where, section["timeout"], 1 if itself else 2, hosted=True),
        precision=PRECISIONS[where.precision],
        max_epochs=section["max_epochs"],
        max_steps=section["max_steps"] or -1,
        accumulate_grad_batches=section["accumulate"] if itself else 1,
        gradient_clip_val=clip,
        gradient_clip_algorithm=section.get("grad_clip_by", "norm") if clip else None,
        check_val_every_n_epoch=section["val_every"],
        deterministic=section["deterministic"],
        overfit_batches=section["overfit_batches"],
        log_every_n_steps=section["log_every"],
        callbacks=list(callbacks),
        enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        plugins=[*_alone(where), AtomicIO()],
        **limits,
        **more,
    )
    trainer._signal_connector.register_signal_handlers = lambda: None  # as above
    return trainer


def _alone(where: Placement) -> list[Any]:
    """A single process is never part of a cluster job, whatever variables an allocation has set."""
    return [LightningEnvironment()] if where.world == 1 and "LOCAL_RANK" not in os.environ else []


def _strategy(where: Placement, timeout: float, turns: int, *, hosted: bool = False) -> Strategy | Literal["auto"]:
    if where.strategy == "single":
        return "auto"
    limit, backend = timedelta(seconds=timeout), "nccl" if where.accelerator == "gpu" else "gloo"
    if where.strategy == "fsdp" and hosted:
        return FSDPStrategy(timeout=limit, state_dict_type="full")
    if where.strategy == "fsdp":
        from nncli.run.sharding import ShardedStrategy  # its imports take a while

        return ShardedStrategy(timeout=limit, process_group_backend=backend)
    return DDPStrategy(
        timeout=limit,
        process_group_backend=backend,
        find_unused_parameters=turns > 1,  # a turn updates the weights of its own net only
    )
