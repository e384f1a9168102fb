"""The search for a batch size: sizes are doubled while the next is predicted to fit, and each is measured."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from nncli.config.compose import Config
from nncli.data.files.progress import shown
from nncli.errors import NnError
from nncli.run.assemble import Parts
from nncli.tune.batch_memory import Step, prober

Measure = Callable[[int, int], Step | None]  # (size, optimizer steps) -> what it takes, or None if it does not fit

START = 8  # samples of the first micro-batch; with fewer, batch normalization and timings are unreliable
STEADY = 0.5  # seconds that a measurement should take
FEWEST, MOST = 3, 30  # steps of a measurement
LONGEST = 20.0  # seconds: a size that would take longer is only predicted
FAST = 0.95  # of the highest samples per second


@dataclass(frozen=True)
class Row:
    """One size: measured, only predicted, or tried and too large (then `memory` is the prediction)."""

    size: int
    memory: int
    samples_per_s: float | None
    state: str = "measured"


@dataclass(frozen=True)
class Found:
    """All sizes that were considered, and the two recommended ones."""

    rows: list[Row]
    largest: int  # below the bound
    fast: int  # the smallest that is nearly as fast as the fastest


@dataclass(frozen=True)
class Search:
    """The result of a search, and the limits it was based on."""

    found: Found
    free: int  # bytes available to one device, or to one of several processes on the CPU
    bound: int  # bytes of them that a step may take
    lost: str  # how the measuring process ended, if it ended unexpectedly


def search(config: Config, parts: Parts, share: float) -> Search:
    """The sizes that suit this config on this machine, measured on one device with its share of each batch."""
    unit, samples = parts.where.world * parts.trainer["accumulate"], len(parts.data.parts["train"])
    many = len(sizes(unit, samples))
    bar = cast(Generator[None], shown(((1, None) for _ in range(many)), many, "  batch sizes"))
    try:
        with prober(config) as probe:

            def measured(size: int, steps: int) -> Step | None:
                next(bar, None)
                return probe(size, steps)

            bound = int(share * probe.free)
            return Search(find(measured, unit, samples, bound), probe.free, bound, probe.lost)
    finally:
        bar.close()


def sizes(unit: int, samples: int) -> list[int]:
    """`unit` times powers of two, up to the size of the training part; `unit` must divide a batch."""
    if unit > samples:
        raise NnError(
            f"the training part has {samples} samples, fewer than devices × nodes × trainer.accumulate = {unit}"
        )
    return [unit << power for power in range((samples // unit).bit_length())]


def find(measure: Measure, unit: int, samples: int, bound: int) -> Found:
    """Measure sizes from START upwards, or downwards if START is too large, without those predicted not to fit."""
    every = sizes(unit, samples)
    start = min(START.bit_length() - 1, len(every) - 1)
    rows = _first(measure, every[: start + 1], bound)
    for size in (size for size in every if size > rows[-1].size):
        memory = predicted(rows, size)
        rate = _measured(rows)[-1].samples_per_s or 1.0
        if memory > bound:
            rows.append(Row(size, memory, None, "predicted"))
            break
        if FEWEST * size / rate > LONGEST:
            rows.append(Row(size, memory, None, "predicted"))
            continue
        step = measure(size, steps_for(size, rate))
        rows.append(Row(size, memory, None, "too large") if step is None else _row(size, step))
        if step is None or step.memory > bound:
            break
    return Found(rows, *_chosen(rows, bound))


def _row(size: int, step: Step) -> Row:
    return Row(size, step.memory, step.samples_per_s)


def _measured(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.samples_per_s]


def _first(measure: Measure, downwards: Sequence[int], bound: int) -> list[Row]:
    """The first size, halved until a trial fits, preceded by half of it, so that a line can be fitted."""
    for place, size in reversed(list(enumerate(downwards))):
        if (step := measure(size, FEWEST)) is None:
            raise _too_large(size, bound)  # the measuring process may have ended
        if step.memory <= bound:
            again = (
                measure(size, steps_for(size, step.samples_per_s)) or step
            )  # the first measurement includes startup costs
            half = measure(downwards[place - 1], FEWEST) if place > 1 else None
            return [*([_row(downwards[place - 1], half)] if half else []), _row(size, again)]
    raise _too_large(downwards[0], bound)


def _too_large(size: int, bound: int) -> NnError:
    return NnError(
        f"a step with data.batch_size={size} takes more than the limit of {bound / 1e6:,.0f} MB; use a smaller model "
        "or smaller inputs, free memory, or raise the limit: --memory-share=0.9"
    )


def predicted(rows: Sequence[Row], size: int) -> int:
    """The memory of a size by linear extrapolation, with the steepest slope among the last four measured sizes."""
    measured = _measured(rows)[-4:]
    last = measured[-1]
    slopes = [(b.memory - a.memory) / (b.size - a.size) for a, b in pairwise(measured)]
    return int(last.memory + max([0.0, *slopes] if slopes else [last.memory / last.size]) * (size - last.size))


def steps_for(size: int, samples_per_s: float) -> int:
    """As many steps as take STEADY seconds, one of them to warm up."""
    return min(MOST, max(FEWEST, 1 + round(STEADY * samples_per_s / size)))


def _chosen(rows: Sequence[Row], bound: int) -> tuple[int, int]:
    fitting = [row for row in rows if row.memory <= bound and row.state != "too large"]
    rates = {row.size: row.samples_per_s for row in fitting if row.samples_per_s}
    best = max(rates.values())
    return fitting[-1].size, min(size for size, rate in rates.items() if rate >= FAST * best)
