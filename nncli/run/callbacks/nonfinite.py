"""NaN and infinity: a run stops before its weights are updated or saved with one, and reports where it began."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn

from nncli.contracts import Turn
from nncli.errors import TrainingFailed
from nncli.run.callbacks.step import StepCallback
from nncli.run.learner import Learner

REMEDY = "try a lower optimizer.lr, regularization.grad_clip=1 or trainer.precision=32"


class NonFinite(TrainingFailed):
    """The loss or a weight is not finite from this step on; `unclear` if only a replay can find out where it began."""

    def __init__(self, step: int, text: str, *, unclear: bool = False) -> None:
        super().__init__(text)
        self.step, self.unclear = step, unclear


class Watch(StepCallback):
    """On a CPU every loss is checked before backward. On a GPU the first bad step is recorded on the device and read
    when a row is due, because checking each loss would synchronize with the device at every step."""

    def __init__(self, every: int, *, eager: bool) -> None:
        self.every = every
        self.eager = eager
        self.first_bad: Tensor | None = None

    def on_loss(self, learner: Learner, turn: Turn, batch: Any, loss: Tensor) -> None:
        step = learner.step
        if self.eager:
            if not math.isfinite(value := loss.item()):
                place = f"step {step}, epoch {learner.trainer.current_epoch}, batch {learner.batch}"
                raise NonFinite(
                    step, f"the {_called(turn)} became {value} at {place}: {began_in(learner.task, turn, batch)}."
                )
            return
        if self.first_bad is None:
            self.first_bad = torch.full((), -1, dtype=torch.long, device=loss.device)
        fresh = ~torch.isfinite(loss.detach()) & (self.first_bad < 0)
        self.first_bad = torch.where(fresh, step, self.first_bad)

    def on_step_end(self, trainer: Trainer, module: LightningModule) -> None:
        last = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if not self.eager and (last or trainer.global_step % self.every == 0):
            self._read()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Never save weights that are not finite, so that there is always a checkpoint to resume."""
        self._read()
        state = checkpoint["state_dict"] | {f"average of {k}": v for k, v in checkpoint.get("average", {}).items()}
        if name := overflowed(pl_module, state):
            raise NonFinite(trainer.global_step, f"{_overflow(name)} at step {trainer.global_step}: {REMEDY}.")

    def judged(self, trainer: Trainer, part: str, results: Mapping[str, float]) -> None:
        """Fail if the loss of an evaluation is not finite, whatever the other metrics are."""
        loss = results.get(f"{part}/loss", 0.0)
        if not math.isfinite(loss):
            module = trainer.lightning_module
            name = overflowed(module, module.state_dict())
            where = (
                f"{_overflow(name)}: {REMEDY}" if name else "every weight is finite, so it began in the net's outputs"
            )
            step = trainer.global_step
            raise NonFinite(step, f"the loss of the {part} part is {loss} after step {step}: {where}.")

    def _read(self) -> None:
        if self.first_bad is not None and (bad := int(self.first_bad)) >= 0:
            raise NonFinite(bad, f"the loss is not a number from step {bad} on.", unclear=True)


def overflowed(module: nn.Module, state: Mapping[str, Any]) -> str | None:
    """The first weight that is not finite, if any; synchronizes with the device only once.

    Buffers may hold infinities, such as the masks of attention, but never NaN.
    """
    buffers = {name for name, _ in module.named_buffers()}
    tensors = {n: t for n, t in state.items() if isinstance(t, Tensor) and t.is_floating_point()}
    wrong = [(t.isnan() if n in buffers else ~t.isfinite()).any() for n, t in tensors.items()]
    if not wrong or not bool(torch.stack([w.to(wrong[0].device) for w in wrong]).any()):
        return None
    return next(name for name, is_wrong in zip(tensors, wrong, strict=True) if is_wrong)


def _overflow(name: str) -> str:
    return f"the weight {name} is no longer finite"


def _called(turn: Turn) -> str:
    return f"loss of {turn.name}" if turn.name else "loss"


def began_in(task: nn.Module, turn: Turn, batch: Any) -> str:
    """Run the batch again and name the first input, weight or layer output that is not finite."""
    for part, tensor in zip(("input", "target"), batch, strict=False):
        if isinstance(tensor, Tensor) and not _finite(tensor):
            rows = (~torch.isfinite(tensor.flatten(1) if tensor.dim() > 1 else tensor[:, None])).any(1)
            return f"the batch's {part} already contained it, in {int(rows.sum())} of its {len(tensor)} samples"
    for name, weight in task.named_parameters():
        if not _finite(weight):
            return f"{_overflow(name)} in the step before: {REMEDY}"
    bad: list[str] = []

    def look(name: str) -> Any:
        def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and not _finite(output):
                bad.append(f"{name} ({type(layer).__name__})")

        return hook

    layers = [(n, m) for n, m in task.named_modules() if n]
    hooks = [m.register_forward_hook(look(n)) for n, m in layers]
    with torch.no_grad():
        turn.loss(batch)
    for hook in hooks:
        hook.remove()
    return f"it began in layer {bad[0]}" if bad else "every layer's output was finite, so it began in the loss"


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
