"""What the two wings ask of each other, as Protocols: nothing here is built, and nothing here needs more than torch."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

Batch = tuple[Tensor, Tensor]
Inputs = Callable[[], Iterable[Tensor]]  # those of the training part, in pieces, as often as they are asked for
Mix = Callable[[Tensor, Tensor], Batch]  # samples and the probabilities of their classes (B, K)
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
    num_classes: int | None  # that it tells apart; None for numbers

    def turns(self) -> list[Turn]: ...
    def fit_statistics(self, rows: Rows) -> None: ...
    def set_epoch(self, epoch: int) -> None: ...
    def metric_sums(self, batch: Batch) -> Tensor: ...
    def metrics_from(self, sums: list[float]) -> dict[str, float]: ...
    def answers(self, batch: Batch) -> tuple[Tensor, ...]: ...
    def evaluate(self, *columns: Tensor) -> tuple[dict[str, float], dict[str, Any]]: ...
    def predict(self, x: Tensor) -> Tensor: ...


# What a part may do beyond what it must, one method each: whoever calls it asks for it by isinstance.


@runtime_checkable
class Joinable(Protocol):
    """A task whose predictions by several nets make one: what its net would give, from each net's `predict`."""

    def joined(self, predictions: list[Tensor], vote: bool) -> Tensor: ...


@runtime_checkable
class Fitted(Protocol):
    """A transform, or its standardization, that takes statistics from the raw inputs before training."""

    def fit(self, inputs: Inputs) -> None: ...


@runtime_checkable
class ByEpoch(Protocol):
    """A transform, or one of its changes, that goes by the epoch, from 0; called as each begins."""

    def set_epoch(self, epoch: int) -> None: ...


@runtime_checkable
class Invertible(Protocol):
    """A standardization that can be undone, so that augmented samples can be drawn."""

    def undo(self, z: Tensor) -> Tensor: ...


@runtime_checkable
class Augmenting(Protocol):
    """A transform that can show what training makes of raw samples, in the units of the data."""

    def augmented(self, x: Tensor) -> Tensor: ...


@runtime_checkable
class Mixing(Protocol):
    """A transform that may mix transformed samples and their targets; None where it does not."""

    def mixer(self) -> Mix | None: ...


@runtime_checkable
class OnPixels(Protocol):
    """A change of samples that works on raw values, such as 0 to 255, and so comes before standardizing."""

    pixels: bool


@runtime_checkable
class ByOriginal(Protocol):
    """A change of standardized samples that looks at the raw ones, too; called in place of `forward`."""

    def by_original(self, x: Tensor, original: Tensor) -> Tensor: ...


@runtime_checkable
class FittedNet(Protocol):
    """A net with weights that are taken from the transformed inputs before training."""

    def fit_inputs(self, inputs: Inputs) -> None: ...


@runtime_checkable
class Published(Protocol):
    """A net that loads the weights its name stands for as a run begins; gives notes for the person."""

    def load_first(self, facts: Mapping[str, Any]) -> list[str]: ...


@runtime_checkable
class LeftOpen(Protocol):
    """A class of nets that finds out, from its arguments, what those that are `auto` stand for."""

    def inferred(self, **arguments: Any) -> dict[str, Any]: ...


@runtime_checkable
class Threshold(Protocol):
    """A net that shows the sum z (B,) which its threshold judges."""

    def z(self, x: Tensor) -> Tensor: ...


@runtime_checkable
class Averaging(Protocol):
    """An optimizer that keeps an average of each weight it has moved, which is what is evaluated and kept."""

    def averages(self) -> dict[nn.Parameter, Tensor]: ...


@runtime_checkable
class SplitsHidden(Protocol):
    """A class of optimizers for matrices, whose groups of weights say by `hidden` whether they are such."""

    splits_hidden: bool
