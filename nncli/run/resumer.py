"""Where a run was: the batch it had reached, the order of its samples and every random state, from a checkpoint."""

from typing import Any, cast

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loops.fit_loop import _FitLoop

from nncli.run import random
from nncli.run.learner import StepCallback


class Begun(_FitLoop):
    """A loop that also starts when nothing is left to train: what is still to be judged is judged from there."""

    @property
    def skip(self) -> bool:
        return False


class Resumer(StepCallback):
    """Puts the order of samples and every random state back to where the checkpoint left them."""

    def __init__(self) -> None:
        self.saved: dict[str, Any] | None = None

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint["nncli"]
        self.saved = saved
        self.restore(trainer)  # once before anything is touched: these states may not be what they should
        batches = cast(Any, trainer.lightning_module).batches
        epoch, batch = batches.start = tuple(saved["position"])
        checkpoint["loops"] = {"fit_loop": _loops(trainer, epoch, batch, saved["step"], len(batches))}

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self.saved:
            self.restore(trainer)
            self.saved = None

    def restore(self, trainer: Trainer) -> None:
        """This rank's random state; one that the run did not have before keeps its own."""
        assert self.saved is not None
        for mine in self.saved["ranks"][trainer.global_rank :][:1]:
            random.restore(mine["random"])


def _loops(trainer: Trainer, epoch: int, batch: int, step: int, batches: int) -> dict[str, Any]:
    """Lightning's counters at this batch of this epoch: its own, read back, would depend on the hook they are from."""
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
