"""One of several classes for each input."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Unpack

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional

from nncli.contracts import Direction
from nncli.errors import NnError
from nncli.tasks import classification_metrics
from nncli.tasks.base import Batch, Parts, Rows, Task, mean_loss


class Classification(Task):
    """The net gives one score (logit) a class, or with loss=bce a single one, for the second of two classes.

    The loss is taken in float32 whatever the net computes in.
    Balanced class weights count each class of the training part equally in the training loss, as sklearn's do; they
    travel with the weights. The metrics are not weighted. Between epochs those in `metrics` are computed; an evaluation
    computes all of them, with those of each class and the confusion matrix as details.
    """

    metrics: ClassVar[Mapping[str, Direction]] = {"loss": "min", "accuracy": "max", "f1": "max"}
    mixes: ClassVar[bool] = True
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
            raise NnError(f"task.class_weights={class_weights} goes with loss=cross_entropy, not {kind}")
        self.register_buffer("weight_of_class", torch.ones(self._classes()) if class_weights else None)

    def fit_statistics(self, rows: Rows) -> None:
        super().fit_statistics(rows)
        if self.weight_of_class is None:
            return
        if (y := rows.labels) is None:
            raise NnError("task.class_weights wants one label for each sample; this data has none")
        count = torch.bincount(y.cpu(), minlength=self._classes()).to(self.weight_of_class)
        self.weight_of_class.copy_(torch.where(count > 0, len(y) / (count > 0).sum() / count.clamp(min=1), 1.0))

    def training_loss(self, batch: Batch) -> Tensor:
        x, y = self.seen(batch)
        return self._loss(self.net(x), y)

    def seen(self, batch: Batch) -> Batch:
        """A batch as the net sees it while it learns: transformed, and mixed where that is asked for."""
        x, y = batch
        if y.is_floating_point():
            raise NnError(
                "task=classification wants classes as targets, and this data has measured numbers; "
                "take task=regression or, for a series, task=forecast, each with loss=mse"
            )
        mix = self.mixer()
        if mix is None or not self.training:
            return self.transform(x), y
        return mix(self.transform(x), functional.one_hot(y, self._classes()).float())

    def predict(self, x: Tensor) -> Tensor:
        """The probability of each class (B, classes)."""
        return class_scores(self(x).float()).softmax(dim=1)

    def joined(self, predictions: list[Tensor], vote: bool) -> Tensor:
        """Logits of the mean probabilities of several nets, or of their votes, of which equal ones go by the mean."""
        p_NBC = torch.stack(predictions)
        if vote:
            p_NBC = 0.99 * functional.one_hot(p_NBC.argmax(dim=2), p_NBC.shape[2]) + 0.01 * p_NBC
        return p_NBC.mean(dim=0).clamp(min=torch.finfo(torch.float32).tiny).log()

    def metric_sums(self, batch: Batch) -> Tensor:
        """Samples, loss, and the counts of each class."""
        x, y = batch
        empty = len(y) == 0  # a rank's share of a short last batch: a made-up sample says how many classes there are
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

    def _loss(self, logits: Tensor, y: Tensor) -> Tensor:
        if logits.shape[1] == 1 and self._classes() > 2:
            raise NnError(f"a net with one output tells two classes apart, not {self.num_classes}: look at model")
        if self.weight_of_class is None:
            return self.loss(logits.float(), y)
        assert isinstance(self.loss, nn.CrossEntropyLoss)
        return functional.cross_entropy(
            logits.float(), y, self.weight_of_class, label_smoothing=self.loss.label_smoothing
        )

    def _classes(self) -> int:
        if self.num_classes is None:
            text = "mixing, class weights and a net with one output need it: set it to ${data.num_classes}"
            raise NnError(f"task.num_classes is null; {text}")
        return self.num_classes


def class_scores(logits: Tensor) -> Tensor:
    """A score for each class; one output alone is that of the second of two, and the first has 0."""
    return functional.pad(logits, (1, 0)) if logits.shape[1] == 1 else logits
