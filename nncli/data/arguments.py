"""The arguments that several sources take, each bundle said once; a source takes them as `**shared: Unpack[…]`."""

from typing import Annotated, Literal, TypedDict

from annotated_types import Ge, Interval

from nncli.seed import Seed

Shape = list[int] | Literal["auto"]  # auto: found in the data, and written into the run's config
Classes = Annotated[int, Ge(2)] | Literal["auto"] | None
How = Literal["stratified", "random", "grouped", "ordered"]


class Seeded(TypedDict):
    """What every source is told of its batches and of what it draws."""

    batch_size: Annotated[int, Ge(1)]
    split_seed: Seed


class Stated(Seeded):
    """That, and the facts that a config states or leaves open."""

    input_shape: Shape
    num_classes: Classes


def stated(shared: Stated) -> Stated:
    """Of the arguments that a source passes on, those that `Data` takes."""
    return Stated(
        batch_size=shared["batch_size"],
        split_seed=shared["split_seed"],
        input_shape=shared["input_shape"],
        num_classes=shared["num_classes"],
    )


class HeldOut(TypedDict):
    """The shares that a source without given parts holds out."""

    val_fraction: Annotated[float, Interval(gt=0, lt=1)]
    test_fraction: Annotated[float, Interval(gt=0, lt=1)]


class MayHoldOut(TypedDict):
    """The same where the test part may be given, or wanting."""

    val_fraction: Annotated[float, Interval(gt=0, lt=1)]
    test_fraction: Annotated[float, Interval(ge=0, lt=1)]


class Grouped(TypedDict):
    """Which rows stay together, and which of several folds is the test."""

    group: str | None
    fold: list[int] | None
