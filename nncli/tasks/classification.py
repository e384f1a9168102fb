"""One of several classes for each input."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Unpack

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional

from nncli.contracts import Direction
from nncli.errors import NnError
from nncli.losses.binary import Binary
from nncli.tasks import classification_metrics
from nncli.tasks.base import Batch, Parts, Rows, Task, mean_loss


class Classification(Task):
    """The net outputs one score (logit) per class, or with loss=bce a single one, for the second of two classes.

    The loss is computed in float32, whatever the precision of the net.
    Balanced class weights give each class of the training part the same total weight in the training loss, as in
    scikit-learn; they are stored with the weights. The metrics are not weighted. Between epochs those in `metrics` are
    computed; an evaluation computes all of them, with the metrics of each class and the confusion matrix as details.
    """

    metrics: ClassVar[Mapping[str, Direction]] = {"loss": "min", "accuracy": "max", "f1": "max"}
    mixes: ClassVar[bool] = True
    predicts: ClassVar[str] = "probabilities"
    weight_of_class: Tensor | None

    def __init__(
        self,
        num_classes: Annotated[int, Ge(2)] | None = None,
        class_weights: Literal["balanced"] | None = None,
        **parts: Unpack[Parts],
    ) -> None:
        super().__init__(**parts)
        self.num_classes = num_classes
        if class_weights and not isinstance(self.loss, nn.CrossEntropyLoss):
            kind = type(self.loss).__name__
            raise NnError(f"task.class_weights={class_weights} needs loss=cross_entropy; loss is {kind}")
        self.register_buffer("weight_of_class", torch.ones(self._classes()) if class_weights else None)

    def fit_statistics(self, rows: Rows) -> None:
        super().fit_statistics(rows)
        if self.weight_of_class is None:
            return
        if (y := rows.labels) is None:
            raise NnError("task.class_weights needs one label per sample, which this data does not have")
        count = torch.bincount(y.cpu(), minlength=self._classes()).to(self.weight_of_class)
        self.weight_of_class.copy_(torch.where(count > 0, len(y) / (count > 0).sum() / count.clamp(min=1), 1.0))

    def training_loss(self, batch: Batch) -> Tensor:
        x, y = self.seen(batch)
        return self._loss(self.net(x), y)

    def seen(self, batch: Batch) -> Batch:
        """A batch as the net sees it in training: transformed, and mixed if the transform has a mixer."""
        x, y = batch
        if y.is_floating_point():
            raise NnError(
                "task=classification needs classes as targets, but the targets of this data are numbers; "
                "set task=regression or, for a series, task=forecast, each with loss=mse"
            )
        mix = self.mixer()
        if mix is None or not self.training:
            return self.transform(x), y
        return mix(self.transform(x), functional.one_hot(y, self._classes()).float())

    def predict(self, x: Tensor) -> Tensor:
        """The probability of each class (B, classes)."""
        return class_scores(self(x).float()).softmax(dim=1)

    def joined(self, predictions: list[Tensor], vote: bool) -> Tensor:
        """The mean probabilities of several nets, or of their votes, with ties broken by the mean."""
        p_NBC = torch.stack(predictions)
        if vote:
            p_NBC = 0.99 * functional.one_hot(p_NBC.argmax(dim=2), p_NBC.shape[2]) + 0.01 * p_NBC
        return p_NBC.mean(dim=0)

    def answers_from(self, predictions: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """The logarithms of the probabilities, which are logits, and the classes; for loss=bce on two classes, one."""
        logits = predictions.clamp(min=torch.finfo(torch.float32).tiny).log()
        if isinstance(self.loss, Binary) and logits.shape[1] == 2:
            logits = logits[:, 1:] - logits[:, :1]
        return logits, batch[1]

    def metric_sums(self, batch: Batch) -> Tensor:
        """The number of samples, the summed loss, and the counts per class."""
        x, y = batch
        empty = len(y) == 0  # a rank's share of a short last batch: a dummy sample shows how many classes there are
        logits = self(x.new_zeros(1, *x.shape[1:]))[:0].float() if empty else self(x).float()
        loss = logits.new_zeros(()) if empty else self.loss(logits, y) * len(y)
        scores = class_scores(logits)
        counts = classification_metrics.per_class(scores.argmax(dim=1), y, scores.shape[1])
        return torch.cat([loss.new_full((1,), len(y)), loss[None], counts])

    def metrics_from(self, sums: list[float]) -> dict[str, float]:
        (count, loss), counts = sums[:2], torch.tensor(sums[2:], dtype=torch.float64)
        return {"loss": loss / count} | classification_metrics.brief(counts)

    def answers(self, batch: Batch) -> tuple[Tensor, ...]:
        """The net's scores (B, outputs) and the classes (B,)."""
        x, y = batch
        return self(x).float(), y

    def evaluate(self, *columns: Tensor) -> tuple[dict[str, float], dict[str, Any]]:
        logits, y = columns
        loss = mean_loss(self.loss, logits, y)
        metrics, details = classification_metrics.everything(class_scores(logits), y)
        return {"loss": loss} | metrics, details

    def per_sample(self, *columns: Tensor) -> tuple[str, Tensor]:
        logits, y = columns
        return "accuracy", class_scores(logits).argmax(dim=1) == y

    def _loss(self, logits: Tensor, y: Tensor) -> Tensor:
        if logits.shape[1] == 1 and self._classes() > 2:
            text = f"the net has one output, which is enough for two classes, not for {self.num_classes}"
            raise NnError(f"{text}; set model.num_outputs={self.num_classes}")
        if self.weight_of_class is None:
            return self.loss(logits.float(), y)
        assert isinstance(self.loss, nn.CrossEntropyLoss)
        return functional.cross_entropy(
            logits.float(), y, self.weight_of_class, label_smoothing=self.loss.label_smoothing
        )

    def _classes(self) -> int:
        if self.num_classes is None:
            text = "mixing, class weights and a net with one output need it; set it to ${data.num_classes}"
            raise NnError(f"task.num_classes is null; {text}")
        return self.num_classes


def class_scores(logits: Tensor) -> Tensor:
    """A score for each class. A single output is the score of the second of two classes; the first has the score 0."""
    return functional.pad(logits, (1, 0)) if logits.shape[1] == 1 else logits
