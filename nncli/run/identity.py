"""Whether a checkpoint belongs to a run: its format can be read, and it was trained with the run's config."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from nncli.config import older
from nncli.config.annotations import accepts, phrase
from nncli.config.origin import leaves
from nncli.errors import CheckpointError
from nncli.run.checkpoint import VERSION, load
from nncli.run.folder import RunFolder

# where data and loaders are, which does not affect training: a run may be resumed or evaluated with other values
ELSEWHERE = ("data.root", "data.path", "data.test_path", "data.cache", "data.memory", "loader.device", "loader.workers")

# words that nn resume accepts: they change how long and where a run is trained, not what it learns
RESUMABLE = (
    "trainer.max_epochs",
    "trainer.max_steps",
    "trainer.early_stopping",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.strategy",
    "trainer.threads",
    "trainer.timeout",
    "trainer.steps_per_call",
    "checkpoint.*",
    "test",
    "logger.tracking_uri",
    "logger.offline",
    "logger.entity",
    "logger.log_model",
    *ELSEWHERE,
)
_BESIDE = (*RESUMABLE, "name", "run_dir", "logger*", "trainer.log_every")  # without effect on what a run learns

Count = Annotated[int, Ge(0)]
_FORM: dict[str, Any] = {
    "position": list[Count],
    "due": bool,
    "step": Count,
    "rates": list[float],
    "ranks": list[dict[str, Any]],
    "config": dict[str, str],
    "best": dict[str, Any],
    "best.value": float | None,
    "best.step": int | None,
    "best.results": dict[str, float],
    "best.worse": Count,
}


def identity(config: Path) -> dict[str, str]:
    """The keys and values of a frozen config that determine what is learned."""
    return {k: v for k, v in leaves(config).items() if not any(fnmatchcase(k, beside) for beside in _BESIDE)}


def read(path: Path, run: RunFolder) -> dict[str, Any]:
    """The state in a checkpoint of this run; raises CheckpointError for another format or another run."""
    state = load(path)
    _check_form(state, path)
    theirs = state["nncli"]["config"]
    ours = identity(run.config) if theirs else {}  # older ones do not store it
    theirs, ours = older.identity(theirs), older.identity(ours)
    if odd := [key for key in theirs | ours if theirs.get(key, "null") != ours.get(key, "null")]:
        key, more = odd[0], f" and {len(odd) - 1} other keys differ" if len(odd) > 1 else ""
        raise CheckpointError(
            f"{path} belongs to another run: it was trained with {key} = {theirs.get(key, 'null')}, and "
            f"{run.config} says {ours.get(key, 'null')}{more}. Restore the run's own checkpoint"
        )
    return state


def _check_form(state: dict[str, Any], path: Path) -> None:
    saved = state.get("nncli")
    if not isinstance(saved, dict) or "version" not in saved:
        raise CheckpointError(f"{path} is not a checkpoint that nn wrote: it does not store the progress of its run")
    if type(saved["version"]) is not int or saved["version"] != VERSION:
        raise CheckpointError(
            f"{path} has the format {saved['version']!r:.20}, and this version of nn reads 1 to {VERSION}: "
            "use the version of nn that wrote it"
        )
    values = saved | {f"best.{k}": v for k, v in best.items()} if isinstance(best := saved.get("best"), dict) else saved
    for key, hint in _FORM.items():
        if key not in values or not accepts(values[key], hint):
            raise CheckpointError(f"{path} is not a checkpoint that nn wrote: its {key} must be {phrase(hint)}")
    sums = all(accepts(rank.get("means"), dict[str, list[float]]) for rank in saved["ranks"])
    plain = (
        sums and all(isinstance(state.get(part, {}), dict) for part in ("facts", "average")) and "callbacks" in state
    )
    if len(saved["position"]) != 2 or not saved["ranks"] or not plain:
        raise CheckpointError(f"{path} is not a checkpoint that nn wrote: it does not store the progress of its run")


def unfit(path: Path, error: Exception) -> CheckpointError:
    """The error for an exception of a part into which the checkpoint was loaded."""
    why = next(iter(str(error).splitlines()), "")
    return CheckpointError(f"{path} does not fit its run: {type(error).__name__}: {why[:300]}")
