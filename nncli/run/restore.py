"""Load a run from its folder, with or without its data; everything that is read is verified first."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from nncli.config.check import check
from nncli.config.compose import Config, load_frozen
from nncli.errors import CheckpointError, ConfigError, NnError
from nncli.run import random
from nncli.run.assemble import SECTIONS, Parts, again, build_task, require
from nncli.run.checkpoint import weights
from nncli.run.folder import RunFolder
from nncli.run.identity import ELSEWHERE, read, unfit

MOVABLE = (
    *ELSEWHERE,
    "data.gaps",
    "data.batch_size",
    "trainer.accelerator",
    "trainer.precision",
    "trainer.limit_batches",
)
ALONE = {"trainer.devices": "1", "trainer.num_nodes": "1", "trainer.strategy": "auto"}
HERE = ("trainer.accelerator=auto", "trainer.precision=32", *(f"{key}={value}" for key, value in ALONE.items()))


def restore(
    run: RunFolder, words: Sequence[str] = (), *, which: Literal["best", "last"] = "best", trust: Collection[str] = ()
) -> tuple[Config, Parts]:
    """The parts of a run with its best (or last) weights, on the best single device of this machine, in float32.

    Words can choose another device or precision.
    """
    config = load_frozen(run.config, [*HERE, *words], allowed=(*MOVABLE, *ALONE), trust=trust)
    require(config, trains=False)
    state, file = _state(run, which)
    return config, again(config, state, file)


def restore_task(
    run: RunFolder, *, which: Literal["best", "last"] = "best", trust: Collection[str] = ()
) -> tuple[Config, Any]:
    """The task of a run with its weights and facts, ready to predict. Needs only the folder: no data is opened."""
    config = load_frozen(run.config, trust=trust)
    tree = config.tree.copy()
    tree.pop("logger", None)  # not used here, and its class would import Lightning
    if found := check(replace(config, tree=tree), SECTIONS, trains=False):
        raise ConfigError(found)
    state, file = _state(run, which)
    before = random.states()
    try:
        task = build_task(config, state.get("facts", {}))
        task.load_state_dict(weights(state))
    except NnError:
        raise
    except Exception as error:  # a checkpoint of another form, or a net of the user's own that has changed
        raise unfit(file, error) from error
    finally:
        random.restore(before)  # the caller's random states do not change
    return config, task.eval()


def _state(run: RunFolder, which: Literal["best", "last"]) -> tuple[dict[str, Any], Path]:
    """The state in the checkpoint, and its file."""
    file = run.checkpoints / f"{which}.ckpt"
    if not file.is_file():
        raise CheckpointError(f"{run.name} has no {which} weights yet. Train it further: nn resume {run.name}")
    try:
        return read(file, run), file
    except CheckpointError as error:
        other = "last" if which == "best" else "best"
        raise CheckpointError(
            f"{error} The {other} weights may be intact: nn eval {run.name} --which {other}"
        ) from error
