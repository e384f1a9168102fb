"""One of several classes for each input."""

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from nncli.errors import NnError
from nncli.tasks.base import Batch, Rows, Task


class Classification(Task):
    """The net gives one score (logit) a class; the loss is taken in float32 whatever the net computes in.

    Balanced class weights count each class of the training part equally in the training loss, as sklearn's do; they
    travel with the weights. The metrics are not weighted.
    """

    metrics: ClassVar[tuple[str, ...]] = ("loss", "accuracy")
    mixes: ClassVar[bool] = True
    weight_of_class: Tensor | None

    def __init__(
        self,
        net: nn.Module,
        transform: nn.Module,
        loss: nn.Module,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., LRScheduler] | None,
        monitor: str,
        mode: Literal["min", "max"],
        num_classes: Annotated[int, Ge(2)] | None = None,
        class_weights: Literal["balanced"] | None = None,
    ) -> None:
        super().__init__(net, transform, loss, optimizer, scheduler, monitor, mode)
        self.num_classes = num_classes
        if class_weights and not isinstance(loss, nn.CrossEntropyLoss):
            raise NnError(f"task.class_weights={class_weights} goes with loss=cross_entropy, not {type(loss).__name__}")
        self.register_buffer("weight_of_class", torch.ones(self._classes()) if class_weights else None)

    def fit_statistics(self, rows: Rows) -> None:
        super().fit_statistics(rows)
        if self.weight_of_class is None:
            return
        if (y := rows.labels) is None:
            raise NnError("task.class_weights wants one label for each sample; this data has none")
        count = torch.bincount(y.cpu(), minlength=self._classes()).to(self.weight_of_class)
        self.weight_of_class.copy_(torch.where(count > 0, len(y) / (count > 0).sum() / count.clamp(min=1), 1.0))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        if y.is_floating_point():
            raise NnError(
                "task=classification wants classes as targets, and this data has measured numbers; "
                "take task=regression or, for a series, task=forecast, each with loss=mse"
            )
        mix = getattr(self.transform, "mix", None)
        if mix is None or not self.training:
            return self._loss(self(x), y)
        x, y = mix(self.transform(x), functional.one_hot(y, self._classes()).float())
        return self._loss(self.net(x), y)

    def predict(self, x: Tensor) -> Tensor:
        """The probability of each class (B, classes)."""
        return self(x).float().softmax(dim=1)

    def sums(self, batch: Batch) -> Tensor:
        """Samples, loss, right answers."""
        x, y = batch
        if len(y) == 0:  # a rank's share of a short last batch
            return torch.zeros(3, device=self.device)
        logits = self(x).float()
        right = (logits.argmax(dim=1) == y).sum()
        loss = self.loss(logits, y)
        return torch.stack([loss.new_full((), len(y)), loss * len(y), right.to(loss.dtype)])

    def finish(self, sums: list[float]) -> dict[str, float]:
        count, loss, right = sums
        return {"loss": loss / count, "accuracy": right / count}

    def _loss(self, logits: Tensor, y: Tensor) -> Tensor:
        if self.weight_of_class is None:
            return self.loss(logits.float(), y)
        assert isinstance(self.loss, nn.CrossEntropyLoss)
        return functional.cross_entropy(
            logits.float(), y, self.weight_of_class, label_smoothing=self.loss.label_smoothing
        )

    def _classes(self) -> int:
        if self.num_classes is None:
            raise NnError("task.num_classes is null; mixing and class weights need it: set it to ${data.num_classes}")
        return self.num_classes
