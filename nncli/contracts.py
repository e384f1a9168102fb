"""What the two wings ask of each other, as Protocols: nothing here is built, and nothing here needs more than torch."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

Batch = tuple[Tensor, Tensor]
Direction = Literal["min", "max"]  # which way a metric is better


class Rows(Protocol):
    """One part of a data set, as statistics are taken from it."""

    labels: Tensor | None

    def inputs(self) -> Iterable[Tensor]: ...


class WeightRules(Protocol):
    """Rules that apply to a net weight by weight."""

    def freeze(self, net: nn.Module, epoch: int = 0, shared: bool = False) -> None: ...
    def drop(self, epoch: int) -> None: ...
    def pull(self, net: nn.Module) -> None: ...


class HowToUpdate(Protocol):
    """An optimizer and a schedule that are made once there is a net."""

    @property
    def groups(self) -> WeightRules: ...
    def make(self, net: nn.Module) -> Optimizer: ...
    def schedule(self, optimizer: Optimizer, *, total_steps: int, mode: Direction) -> LRScheduler | None: ...


@dataclass(frozen=True)
class Turn:
    """One of the optimizers of a task: the net it moves, how, and the loss of a batch that it makes small.

    `loss` gives "loss", which is minimized, and any other numbers to log under `train/`. Where a turn has a name, its
    own loss is logged as `<name>_loss`. A turn that is taken at every n-th step only says so in `every`.
    """

    net: nn.Module
    updates: HowToUpdate
    loss: Callable[[Batch], Mapping[str, Tensor]]
    name: str = ""
    every: int = 1


class Trainable(Protocol):
    """A task: an nn.Module that says what is computed. Everything else about training is the program's."""

    metrics: ClassVar[Mapping[str, Direction]]  # measured when a part is evaluated, each with its better direction
    logged: ClassVar[Mapping[str, Direction]]  # logged while training, as train/…
    monitor: str  # decides which weights are best, such as val/accuracy
    facts: dict[str, Any]  # what the data learned from its training part; stored with the weights

    def turns(self) -> list[Turn]: ...
    def fit_statistics(self, rows: Rows) -> None: ...
    def metric_sums(self, batch: Batch) -> Tensor: ...
    def metrics_from(self, sums: list[float]) -> dict[str, float]: ...
    def answers(self, batch: Batch) -> tuple[Tensor, ...]: ...
    def evaluate(self, *columns: Tensor) -> tuple[dict[str, float], dict[str, Any]]: ...
    def predict(self, x: Tensor) -> Tensor: ...
