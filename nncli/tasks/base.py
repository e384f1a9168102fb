"""What all tasks share: a net, the transform of its inputs, a loss, and evaluation by sums that add up over ranks."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NotRequired, TypedDict, Unpack

import torch
from torch import Tensor, nn

from nncli.contracts import Batch as Batch
from nncli.contracts import ByEpoch, Direction, Fitted, FittedNet, Form, Mix, Mixing, Turn
from nncli.contracts import Rows as Rows
from nncli.errors import NnError
from nncli.optim.updates import Updates


class Parts(TypedDict):
    """The arguments of every task. A subclass names its own arguments and passes these on."""

    net: nn.Module
    transform: nn.Module
    loss: nn.Module
    updates: Updates
    monitor: str
    init: NotRequired[Callable[[nn.Module], object] | None]


class Task(nn.Module):
    """A net, the transform of its inputs, and what it is trained for.

    A task defines `training_loss` and `predict`. Between epochs it is evaluated by `metric_sums` (one row of numbers
    that add up over batches and ranks) and `metrics_from` (the `metrics` of a whole part, from its sums). The final
    evaluation collects `answers` for every sample and passes them to `evaluate`, which may compute more metrics, and
    tables and the like as details. A task that trains several nets against each other defines `turns` instead of
    `training_loss`.
    """

    metrics: ClassVar[Mapping[str, Direction]]
    logged: ClassVar[Mapping[str, Direction]] = {"loss": "min"}
    mixes: ClassVar[bool] = False  # whether training can mix samples with `mixer`
    predicts: ClassVar[str] = "prediction"  # the name of what `predict` returns (see contracts.Form)
    num_classes: int | None = None

    def __init__(self, **parts: Unpack[Parts]) -> None:
        super().__init__()
        net = parts["net"]
        if (init := parts.get("init")) is not None:
            init(net)
        self.net, self.transform, self.loss = net, parts["transform"], parts["loss"]
        self.updates = parts["updates"]
        self.monitor = parts["monitor"]
        self.facts: dict[str, Any] = {}

    def turns(self) -> list[Turn]:
        """One optimizer over the net."""
        return [Turn(self.net, self.updates, lambda batch: {"loss": self.training_loss(batch)})]

    def training_loss(self, batch: Batch) -> Tensor:
        """The loss of a batch of the training part."""
        raise self._lacks("training_loss, nor turns of its own")

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.transform(x))

    def predict(self, x: Tensor) -> Tensor:
        """The predictions for raw inputs, in the units of the data."""
        raise self._lacks("predict")

    def forms(self) -> Mapping[str, Form]:
        """The ways to use the trained net, the usual one first; each can be exported."""
        return {
            "predict": Form(_Method(self, self.predict), (self.predicts,)),
            "embedding": Form(_Method(self, self.embedding), ("embedding",)),
        }

    def embedding(self, x: Tensor) -> Tensor:
        """What the net knows about each raw input: the input (B, size) of its last linear layer."""
        last: list[Tensor] = []
        hooks = [
            layer.register_forward_pre_hook(lambda _, inputs: last.__setitem__(slice(None), inputs[:1]))
            for layer in self.net.modules()
            if isinstance(layer, nn.Linear)
        ]
        try:
            self(x)
        finally:
            for hook in hooks:
                hook.remove()
        if not last:
            raise NnError(f"{type(self.net).__name__} has no linear layer, whose input would be the embedding")
        return last[0].flatten(1).float()

    def metric_sums(self, batch: Batch) -> Tensor:
        raise self._lacks("metric_sums")

    def metrics_from(self, sums: list[float]) -> dict[str, float]:
        raise self._lacks("metrics_from")

    def _lacks(self, what: str) -> NnError:
        return NnError(f"the task {type(self).__name__} has no {what}; the guide's page Extend has a complete example")

    def answers(self, batch: Batch) -> tuple[Tensor, ...]:
        """What `evaluate` needs of each sample: predictions, targets and the like, with one row per sample.

        By default one row of sums per batch, for a task whose final evaluation computes nothing more.
        """
        return (self.metric_sums(batch).double()[None],)

    def evaluate(self, *columns: Tensor) -> tuple[dict[str, float], dict[str, Any]]:
        """All metrics and details of a whole part, as a pure function of the columns of `answers`."""
        (sums,) = columns
        return self.metrics_from(sums.sum(dim=0).tolist()), {}

    def fit_statistics(self, rows: Rows) -> None:
        """Compute the statistics of the inputs, and of a numeric target, from the training part."""
        if self.mixer() is not None and not self.mixes:
            raise NnError("transform.mix is for task=classification; set transform.mix=null")
        if isinstance(self.transform, Fitted):
            self.transform.fit(rows.inputs)
        if isinstance(self.net, FittedNet):
            self.transform.eval()
            self.net.fit_inputs(lambda: (self.transform(x) for x in rows.inputs()))
            self.transform.train()

    def set_epoch(self, epoch: int) -> None:
        """Called at the start of each epoch, counted from 0."""
        if isinstance(self.transform, ByEpoch):
            self.transform.set_epoch(epoch)

    def mixer(self) -> Mix | None:
        """The function of the transform that mixes samples and their targets in training."""
        return self.transform.mixer() if isinstance(self.transform, Mixing) else None


class _Method(nn.Module):
    """A method of a task as a module."""

    def __init__(self, task: nn.Module, method: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.task, self.method = task, method

    def forward(self, x: Tensor) -> Tensor:
        return self.method(x)


def mean_loss(loss: nn.Module, answers: Tensor, targets: Tensor, piece: int = 65_536) -> float:
    """The mean loss of many samples, computed in pieces."""
    total = torch.zeros((), dtype=torch.float64)
    for some, wanted in zip(answers.split(piece), targets.split(piece), strict=True):
        total += loss(some, wanted).double() * len(wanted)
    return float(total / len(targets))
