"""A finished run back as a model: its config, its parts, its weights, verified before they are read."""

from collections.abc import Collection, Sequence
from typing import Any, Literal

from lightning.pytorch import Trainer

from nncli.config.compose import Config, thaw
from nncli.errors import CheckpointError
from nncli.run.assemble import ELSEWHERE, Parts, assemble, cut, require
from nncli.run.checkpoint import load
from nncli.run.folder import RunFolder
from nncli.run.train import hushed, weights
from nncli.run.trainer import lightning_arguments

MOVABLE = (
    *ELSEWHERE,
    "data.gaps",
    "data.batch_size",
    "trainer.accelerator",
    "trainer.precision",
    "trainer.limit_batches",
)


def restore(
    run: RunFolder, words: Sequence[str] = (), *, which: Literal["best", "last"] = "best", trust: Collection[str] = ()
) -> tuple[Config, Parts]:
    """The parts of a run with its best (or last) weights in them; on this machine's one best device."""
    first = {"trainer.devices=1", "trainer.num_nodes=1", "trainer.strategy=auto"}
    moved = [] if any(w.startswith("trainer.accelerator=") for w in words) else ["trainer.accelerator=auto"]
    allowed = (*MOVABLE, *(w.split("=")[0] for w in first))
    config = thaw(run.config, [*sorted(first), *moved, *words], allowed=allowed, trust=trust)
    require(config)
    file = run.checkpoints / f"{which}.ckpt"
    if not file.is_file():
        raise CheckpointError(f"{run.name} has no {which} weights yet. Train it further: nn resume {run.name}")
    try:
        state = load(file)
    except CheckpointError as error:
        other = "last" if which == "best" else "best"
        raise CheckpointError(f"{error} The other weights may be whole: nn eval {run.name} --which {other}") from error
    parts = assemble(config, facts=state.get("facts"), fitted=True)
    try:
        parts.task.load_state_dict(weights(state))
    except RuntimeError as error:
        raise CheckpointError(f"{file} does not fit the net in {run.config}: {str(error).splitlines()[0]}") from error
    return config, parts


def judged(
    run: RunFolder,
    words: Sequence[str] = (),
    *,
    part: Literal["train", "val", "test"] = "test",
    which: Literal["best", "last"] = "best",
    trust: Collection[str] = (),
) -> dict[str, float]:
    """A run's metrics on a part of its data."""
    config, parts = restore(run, words, which=which, trust=trust)
    with hushed():
        trainer = Trainer(
            **lightning_arguments(parts.trainer, parts.where),
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        cut(config, parts, device=trainer.strategy.root_device)
        trainer.test(parts.task, dataloaders=parts.data.evaluation(part), verbose=False)
    results: dict[str, Any] = parts.task.results
    return {k.replace("test/", f"{part}/"): v for k, v in results.items() if k.startswith("test/")}
