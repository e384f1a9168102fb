"""A finished run back as a model: its config, its parts, its weights, verified before they are read."""

from collections.abc import Collection, Sequence
from typing import Literal

from nncli.config.compose import Config, thaw
from nncli.errors import CheckpointError
from nncli.run.assemble import Parts, again, require
from nncli.run.folder import RunFolder
from nncli.run.identity import ELSEWHERE, read

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
    require(config, begun=True)
    file = run.checkpoints / f"{which}.ckpt"
    if not file.is_file():
        raise CheckpointError(f"{run.name} has no {which} weights yet. Train it further: nn resume {run.name}")
    try:
        state = read(file, run)
    except CheckpointError as error:
        other = "last" if which == "best" else "best"
        raise CheckpointError(f"{error} The other weights may be whole: nn eval {run.name} --which {other}") from error
    return config, again(config, state, file)
