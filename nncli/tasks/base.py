"""What all tasks share: a net, what goes before it, its loss, and evaluating a part by sums that add up over ranks."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NotRequired, TypedDict, Unpack

import torch
from torch import Tensor, nn

from nncli.contracts import Batch as Batch
from nncli.contracts import ByEpoch, Direction, Fitted, FittedNet, Mix, Mixing, Turn
from nncli.contracts import Rows as Rows
from nncli.errors import NnError
from nncli.optim.updates import Updates


class Parts(TypedDict):
    """The arguments that every task takes; one with arguments of its own names those and passes these on."""

    net: nn.Module
    transform: nn.Module
    loss: nn.Module
    updates: Updates
    monitor: str
    init: NotRequired[Callable[[nn.Module], object] | None]


class Task(nn.Module):
    """A net, the transform of its inputs, and what it is trained for.

    A task gives `training_loss` and `predict`. Between epochs it is evaluated by `metric_sums` (one row of numbers that
    add up over batches and ranks) and `metrics_from` (the sums of a whole part as `metrics`); in the end by `answers`
    to every sample and `evaluate`, which may find more, and leave tables and the like in `details`. One that trains
    several nets against each other gives its own `turns` instead of `training_loss`.
    """

    metrics: ClassVar[Mapping[str, Direction]]
    logged: ClassVar[Mapping[str, Direction]] = {"loss": "min"}
    mixes: ClassVar[bool] = False  # whether training mixes samples, as `mixer` says
    num_classes: int | None = None  # that it tells apart

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
        """The answer to raw inputs, in the units a person wants."""
        raise self._lacks("predict")

    def metric_sums(self, batch: Batch) -> Tensor:
        raise self._lacks("metric_sums")

    def metrics_from(self, sums: list[float]) -> dict[str, float]:
        raise self._lacks("metrics_from")

    def _lacks(self, what: str) -> NnError:
        return NnError(f"the task {type(self).__name__} has no {what}; the guide's page Extend shows a whole one")

    def answers(self, batch: Batch) -> tuple[Tensor, ...]:
        """What `evaluate` needs of each sample: answers, targets and the like, a row a sample.

        A task that has nothing more to find at the end than between epochs keeps this: one row of sums a batch.
        """
        return (self.metric_sums(batch).double()[None],)

    def evaluate(self, *columns: Tensor) -> tuple[dict[str, float], dict[str, Any]]:
        """Every metric of a whole part, and details of it, from the columns of `answers`: a pure function of them."""
        (sums,) = columns
        return self.metrics_from(sums.sum(dim=0).tolist()), {}

    def fit_statistics(self, rows: Rows) -> None:
        """Take the scale of the inputs, and of a measured target, from the training part."""
        if self.mixer() is not None and not self.mixes:
            raise NnError("transform.mix is for task=classification; set transform.mix=null")
        if isinstance(self.transform, Fitted):
            self.transform.fit(rows.inputs)
        if isinstance(self.net, FittedNet):
            self.transform.eval()
            self.net.fit_inputs(lambda: (self.transform(x) for x in rows.inputs()))
            self.transform.train()

    def set_epoch(self, epoch: int) -> None:
        """Called as each epoch begins, from 0."""
        if isinstance(self.transform, ByEpoch):
            self.transform.set_epoch(epoch)

    def mixer(self) -> Mix | None:
        """What the transform mixes samples and their targets with in training."""
        return self.transform.mixer() if isinstance(self.transform, Mixing) else None


def mean_loss(loss: nn.Module, answers: Tensor, targets: Tensor, piece: int = 65_536) -> float:
    """The mean loss of many samples, some at a time."""
    total = torch.zeros((), dtype=torch.float64)
    for some, wanted in zip(answers.split(piece), targets.split(piece), strict=True):
        total += loss(some, wanted).double() * len(wanted)
    return float(total / len(targets))
