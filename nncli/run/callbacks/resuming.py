"""The position of a run from its checkpoint: the batch, the order of samples and all random states."""

from math import ceil
from pathlib import Path
from typing import Any, cast

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loops.fit_loop import _FitLoop

from nncli.errors import CheckpointError
from nncli.run import random
from nncli.run.callbacks.step import StepCallback
from nncli.run.optimizer_state import Settings, check_optimizers, stated


class Begun(_FitLoop):
    """A loop that also starts when no training is left, so that an evaluation that is still due is done."""

    @property
    def skip(self) -> bool:
        return False


class Resumer(StepCallback):
    """Restores the order of samples and all random states from the checkpoint.

    It comes before the other callbacks, so that a checkpoint that does not fit the run is refused before they write.
    """

    def __init__(self, source: Path | None) -> None:
        self.source = source  # the checkpoint that is resumed
        self.saved: dict[str, Any] | None = None
        self.stated: list[list[Settings]] = []  # of each optimizer's groups, before the checkpoint is loaded into them

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint["nncli"]
        self.saved = saved
        self.restore(trainer)  # once before anything is changed, in case the states are invalid
        batches = cast(Any, trainer.lightning_module).batches
        epoch, batch = saved["position"]
        self._check_position(trainer, epoch, batch, saved["step"], len(batches))
        batches.start = (epoch, batch)
        checkpoint["loops"] = {"fit_loop": _loops(trainer, epoch, batch, saved["step"], len(batches))}

    def _check_position(self, trainer: Trainer, epoch: int, batch: int, step: int, batches: int) -> None:
        """Check that the step agrees with the epoch and the batch in it."""
        each = cast(Any, trainer.lightning_module).accumulate
        due = epoch * ceil(batches / each) + ceil(batch / each)
        if batch >= batches or step != due or epoch > (trainer.max_epochs or epoch):
            raise CheckpointError(
                f"{self.source} was not written by this run: it is at epoch {epoch}, batch {batch}, step {step}, but "
                f"an epoch of the run has {batches} batches and {ceil(batches / each)} steps"
            )

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.stated = stated(trainer.optimizers)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.saved and self.source:
            check_optimizers(trainer.optimizers, self.stated, self.source)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self.saved:
            self.restore(trainer)
            self.saved = None

    def restore(self, trainer: Trainer) -> None:
        """Restore the random state of this rank; a rank that the run did not have before keeps its own."""
        assert self.saved is not None
        for mine in self.saved["ranks"][trainer.global_rank :][:1]:
            random.restore(mine["random"])


def _loops(trainer: Trainer, epoch: int, batch: int, step: int, batches: int) -> dict[str, Any]:
    """Lightning's counters at this batch of this epoch; saved ones would depend on the hook that saved them."""
    state = trainer.fit_loop.state_dict()
    state["epoch_loop.state_dict"]["_batches_that_stepped"] = step
    begun, steps = epoch + (batch > 0), {"ready": step, "completed": step}
    _count(state["epoch_progress"], {"ready": begun, "started": begun, "processed": epoch, "completed": epoch})
    whole = epoch * batches + batch
    _count(state["epoch_loop.batch_progress"], dict.fromkeys(("ready", "started", "processed", "completed"), whole))
    state["epoch_loop.batch_progress"]["current"] = dict.fromkeys(("ready", "started", "processed", "completed"), batch)
    _count(state["epoch_loop.scheduler_progress"], steps)
    _count(state["epoch_loop.manual_optimization.optim_step_progress"], steps)
    return state


def _count(progress: dict[str, Any], counts: dict[str, int]) -> None:
    progress["total"], progress["current"] = dict(counts), dict(counts)
