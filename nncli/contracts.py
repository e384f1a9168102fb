"""The interface of the library half and the tool half, as Protocols that need nothing but torch."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

Batch = tuple[Tensor, Tensor]
Inputs = Callable[[], Iterable[Tensor]]  # of the training part, in pieces; can be called several times
Mix = Callable[[Tensor, Tensor], Batch]  # samples and the probabilities of their classes (B, K)
Direction = Literal["min", "max"]  # whether lower or higher is better


class Rows(Protocol):
    """One part of a data set, for computing statistics."""

    labels: Tensor | None

    def inputs(self) -> Iterable[Tensor]: ...


class WeightRules(Protocol):
    """Rules for single weights of a net."""

    def freeze(self, net: nn.Module, epoch: int = 0, shared: bool = False) -> None: ...
    def drop(self, epoch: int) -> None: ...
    def pull(self, net: nn.Module) -> None: ...


class HowToUpdate(Protocol):
    """An optimizer and a schedule that are created once there is a net."""

    @property
    def groups(self) -> WeightRules: ...
    def make(self, net: nn.Module) -> Optimizer: ...
    def schedule(self, optimizer: Optimizer, *, total_steps: int, mode: Direction) -> LRScheduler | None: ...


@dataclass(frozen=True)
class Turn:
    """One of the optimizers of a task: the net that it updates, how, and the loss of a batch that it minimizes.

    `loss` returns "loss", which is minimized, and any other numbers to log under `train/`. If a turn has a name, its
    loss is logged as `<name>_loss`. It is taken at every `every`-th step.
    """

    net: nn.Module
    updates: HowToUpdate
    loss: Callable[[Batch], Mapping[str, Tensor]]
    name: str = ""
    every: int = 1


@dataclass(frozen=True)
class Form:
    """One way to use a trained net: a module from encoded raw samples to a tensor for each of its named `outputs`.

    The names say what the numbers mean: `probabilities` (B, classes), `class` (B,), `value` (B,) in the units of the
    target, `forecast` (B, steps, columns) in those of the series, `embedding` (B, size).
    """

    module: nn.Module
    outputs: tuple[str, ...]


class Trainable(Protocol):
    """A task: an nn.Module that defines what is computed; nn does the rest of the training."""

    # computed when a part is evaluated, each with its better direction; naive_mse is the mse of a naive forecast
    metrics: ClassVar[Mapping[str, Direction]]
    logged: ClassVar[Mapping[str, Direction]]  # logged in training, as train/…
    monitor: str  # decides which weights are best, such as val/accuracy
    facts: dict[str, Any]  # what the data derived from its training part; stored with the weights
    num_classes: int | None  # None if the targets are numbers

    def turns(self) -> list[Turn]: ...
    def fit_statistics(self, rows: Rows) -> None: ...
    def set_epoch(self, epoch: int) -> None: ...
    def metric_sums(self, batch: Batch) -> Tensor: ...
    def metrics_from(self, sums: list[float]) -> dict[str, float]: ...
    def answers(self, batch: Batch) -> tuple[Tensor, ...]: ...
    def evaluate(self, *columns: Tensor) -> tuple[dict[str, float], dict[str, Any]]: ...
    def predict(self, x: Tensor) -> Tensor: ...
    def forms(self) -> Mapping[str, Form]: ...


# Optional methods of a part, one per Protocol; callers test for them with isinstance.


@runtime_checkable
class Joinable(Protocol):
    """A task that can combine what several nets `predict` into one prediction."""

    def joined(self, predictions: list[Tensor], vote: bool) -> Tensor: ...


@runtime_checkable
class Judging(Protocol):
    """A task that can be evaluated from predictions alone: the columns of `answers`, from those of `predict`."""

    def answers_from(self, predictions: Tensor, batch: Batch) -> tuple[Tensor, ...]: ...


@runtime_checkable
class PerSample(Protocol):
    """A task that scores each sample: a metric that is their mean, and the scores from the columns of `answers`.

    Scores of right and wrong samples are booleans.
    """

    def per_sample(self, *columns: Tensor) -> tuple[str, Tensor]: ...


@runtime_checkable
class Fitted(Protocol):
    """A transform, or its standardization, that computes statistics of the raw inputs before training."""

    def fit(self, inputs: Inputs) -> None: ...


@runtime_checkable
class ByEpoch(Protocol):
    """A transform, or one of its changes, that depends on the epoch, from 0; called at the start of each."""

    def set_epoch(self, epoch: int) -> None: ...


@runtime_checkable
class Invertible(Protocol):
    """A standardization that can be inverted, so that augmented samples can be drawn."""

    def undo(self, z: Tensor) -> Tensor: ...


@runtime_checkable
class Augmenting(Protocol):
    """A transform that can show raw samples as changed in training, in the units of the data."""

    def augmented(self, x: Tensor) -> Tensor: ...


@runtime_checkable
class Mixing(Protocol):
    """A transform that can mix transformed samples and their targets; None if it does not."""

    def mixer(self) -> Mix | None: ...


@runtime_checkable
class OnPixels(Protocol):
    """A change of samples that works on raw values, such as 0 to 255, and is applied before standardizing."""

    pixels: bool


@runtime_checkable
class ByOriginal(Protocol):
    """A change of standardized samples that also uses the raw ones; called instead of `forward`."""

    def by_original(self, x: Tensor, original: Tensor) -> Tensor: ...


@runtime_checkable
class FittedNet(Protocol):
    """A net with weights that are computed from the transformed inputs before training."""

    def fit_inputs(self, inputs: Inputs) -> None: ...


@runtime_checkable
class Published(Protocol):
    """A net that loads published weights at the start of a run; returns notes for the user."""

    def load_first(self, facts: Mapping[str, Any]) -> list[str]: ...


@runtime_checkable
class Derived(Protocol):
    """A net made from another one, its argument `net`, with whose weights a run starts; returns a note for the user."""

    def derive(self, whole: nn.Module) -> str: ...


@runtime_checkable
class LeftOpen(Protocol):
    """A class of nets that determines the values of its `auto` arguments from the others."""

    def inferred(self, **arguments: Any) -> dict[str, Any]: ...


@runtime_checkable
class Threshold(Protocol):
    """A net that exposes the sum z (B,) before its threshold."""

    def z(self, x: Tensor) -> Tensor: ...


@runtime_checkable
class Averaging(Protocol):
    """An optimizer that keeps an average of each weight it has updated, which is evaluated and saved."""

    def averages(self) -> dict[nn.Parameter, Tensor]: ...


@runtime_checkable
class SplitsHidden(Protocol):
    """A class of optimizers that treats groups of weights with `hidden: true` as matrices."""

    splits_hidden: bool
