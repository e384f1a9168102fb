"""Batches of a part: each is fetched as a whole by index, in an order that depends only on seed and epoch."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from threading import Event, Thread
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from nncli.data.rows import InMemory, Rows
from nncli.errors import DataError, NnError, TrainingFailed
from nncli.stalls import PATIENCE, Stalls

KILLED = (
    "a worker process that decodes data was killed, perhaps for lack of memory; continue with nn resume, "
    "which needs less with loader.workers=1 or 0"
)
STOPPED = (
    "a worker process that decodes data was stopped (SIGSTOP) and did not continue; trainer.timeout is {:g} s. "
    "Continue with nn resume"
)
AHEAD = 4  # batches that are prepared in advance
TOGETHER = 4 * 2**20  # bytes of batches that are fetched together
POOL = 50  # batches among which samples are grouped by length

Sampling = Literal["natural", "balanced"]


class Batches:
    """The micro-batches of one rank.

    `batch_size` counts samples per optimizer step over all ranks and accumulation. Shuffled (training): step t takes
    `order[t * batch_size : (t + 1) * batch_size]`, an incomplete last step is dropped. Not shuffled (evaluation): every
    sample once, in natural order; all ranks get the same number of batches, some of which may be empty.

    `start` is the (epoch, micro-batch) at which the next iteration begins. It is read at the first `next()`, not at
    `iter()`: Lightning creates iterators that it never uses.
    """

    def __init__(
        self,
        rows: Rows,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int,
        rank: int = 0,
        world: int = 1,
        accumulate: int = 1,
        limit: int | None = None,
        sampling: Sampling = "natural",
        workers: int = 0,
        patience: float = PATIENCE,
        ahead: bool = False,
        pin: bool = False,
    ) -> None:
        if batch_size % (world * accumulate):
            raise DataError(
                f"data.batch_size is {batch_size}, which {world} devices × {accumulate} micro-batches do not divide; "
                f"take a multiple of {world * accumulate}"
            )
        self.rows = rows
        self.shuffle, self.seed, self.batch_size, self.sampling = shuffle, seed, batch_size, sampling
        self.start: tuple[int, int] = (0, 0)
        micro = batch_size // accumulate  # samples of one micro-batch over all ranks
        cut = _equal(len(rows) // batch_size * accumulate, micro) if shuffle else _covering(len(rows), micro, world)
        self.bounds = [_share(low, high, rank, world) for low, high in cut][:limit]
        self._plan: list[np.ndarray] = []  # the rows of each batch to come; tensors would use shared memory
        self._loader = self._prepared(workers, pin) if workers else None
        self._ahead, self._pin, self._patience = ahead, pin, patience

    def __len__(self) -> int:
        return len(self.bounds)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        epoch, position = self.start
        if position >= len(self):
            epoch, position = epoch + 1, 0
        self.start = (epoch + 1, 0)  # here, since nothing runs after the last yield
        bounds = self.bounds[position:]
        if self._loader is not None:
            order = self.order(epoch) if self.shuffle else torch.arange(len(self.rows))
            self._plan[:] = [order[low:high].numpy() for low, high in bounds]
            yield from _fetched(self._loader, self._patience)
        elif self._ahead:
            order = self.order(epoch) if self.shuffle else torch.arange(len(self.rows))
            yield from _in_advance(self._pinned if self._pin else self.rows.take, [order[a:b] for a, b in bounds])
        elif self.shuffle:
            order, each = self.order(epoch), self._at_once()
            for at in range(0, len(bounds), each):
                yield from self._taken([order[low:high] for low, high in bounds[at : at + each]])
        else:
            for low, high in bounds:
                yield self.rows.span(low, high)

    def _at_once(self) -> int:
        """The number of batches to fetch together, since fetching a small one takes as long as training on it."""
        if not isinstance(self.rows, InMemory) or not len(self.rows):
            return 1
        batch = self.rows.nbytes / len(self.rows) * self.batch_size
        return max(1, int(TOGETHER // max(batch, 1)))

    def _taken(self, plan: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Some batches, fetched as one."""
        sizes = [len(rows) for rows in plan]
        x, y = self.rows.take(torch.cat(plan))
        yield from zip(x.split(sizes), y.split(sizes), strict=True)

    def order(self, epoch: int) -> Tensor:
        """The order of samples in this epoch, the same on every rank: a pure function of seed and epoch.

        With balanced sampling, every class is drawn equally often, samples of small classes several times. If samples
        differ in length, those of similar length are batched together, within each POOL batches of the shuffled order.
        """
        mixed = np.random.SeedSequence((self.seed, epoch)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(mixed) >> 1)
        count = len(self.rows)
        if self.sampling == "balanced":
            order = _balanced(self.rows.labels, count, generator)
        else:
            order = torch.randperm(count, generator=generator)
        if self.rows.lengths is None:
            return order
        return _bucketed(order, self.rows.lengths, self.batch_size, generator)

    def _prepared(self, workers: int, pin: bool) -> DataLoader[tuple[Tensor, Tensor] | NnError]:
        """A loader whose worker processes prepare batches in advance."""
        return DataLoader(
            _Takes(self.rows),
            sampler=self._plan,
            batch_size=None,
            num_workers=workers,
            prefetch_factor=AHEAD,
            persistent_workers=self.shuffle,  # evaluation is too rare to keep processes for it
            pin_memory=pin,
            generator=torch.Generator(),  # otherwise each loader draws from the global state, which a resume restores
        )

    def _pinned(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A batch in pinned memory, from which a GPU copies while it computes."""
        x, y = self.rows.take(rows)
        return x.pin_memory(), y.pin_memory()


class _Takes(Dataset[tuple[Tensor, Tensor] | NnError]):
    """Rows as a Dataset for torch's loader. Our errors are returned from workers as values, to keep their message."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __getitem__(self, which: np.ndarray) -> tuple[Tensor, Tensor] | NnError:
        try:
            return self.rows.take(torch.from_numpy(which))
        except NnError as error:
            return error


def _in_advance(take: Callable[[Tensor], tuple[Tensor, Tensor]], plan: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of a plan in order, while a thread prepares the next ones."""
    with ThreadPoolExecutor(1) as thread:
        waiting: deque[Future[tuple[Tensor, Tensor]]] = deque()
        for rows in plan:
            waiting.append(thread.submit(take, rows))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _fetched(loader: "DataLoader[tuple[Tensor, Tensor] | NnError]", patience: float) -> Iterator[tuple[Tensor, Tensor]]:
    """The loader's batches; errors of our own in a worker are raised unchanged."""
    with _Watch(loader, patience) as watch:
        batches = None
        while True:
            try:
                if batches is None:
                    batches = watch.batches = iter(loader)
                batch = next(batches)
            except StopIteration:
                return
            except (RuntimeError, OSError, EOFError) as error:  # the last two: it died while it passed a batch on
                if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                    raise
                _end(watch.batches)
                raise TrainingFailed(STOPPED.format(patience) if watch.killed else KILLED) from error
            if isinstance(batch, NnError):
                raise batch
            x, y = batch
            yield x, y


class _Watch:
    """A thread that kills workers that were suspended for too long, as waiting for their batches blocks."""

    def __init__(self, loader: "DataLoader[Any]", patience: float) -> None:
        self.batches: object = loader._iterator  # of the previous epoch, whose workers continue
        self.stalls, self.killed, self.over = Stalls(patience), False, Event()

    def __enter__(self) -> "_Watch":
        Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()

    def _watch(self) -> None:
        while not self.over.wait(1):
            workers = self.batches._workers if isinstance(self.batches, _MultiProcessingDataLoaderIter) else []
            for pid in self.stalls.over([worker.pid for worker in workers if worker.pid is not None]):
                self.killed = True
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


def _end(batches: object) -> None:
    """Stop the remaining workers. torch raises for the dead one again, which could not be caught in `__del__`."""
    if isinstance(batches, _MultiProcessingDataLoaderIter):
        with suppress(RuntimeError):
            batches._shutdown_workers()


def _balanced(labels: Tensor | None, count: int, generator: torch.Generator) -> Tensor:
    """`count` draws with equal probability for each class."""
    if labels is None or labels.is_floating_point():
        raise DataError("loader.sampling is balanced, which needs one class for each sample; take natural")
    sizes = torch.bincount(labels.cpu())
    weights = sizes.double().clamp(min=1).reciprocal()[labels.cpu()]
    return torch.multinomial(weights, count, replacement=True, generator=generator)


def _bucketed(order: Tensor, lengths: Tensor, batch_size: int, generator: torch.Generator) -> Tensor:
    """The order with the samples of each POOL batches sorted by length, and these batches shuffled again."""
    whole = len(order) // batch_size * batch_size
    pieces = []
    for pool in order[:whole].split(POOL * batch_size):
        batches = pool[lengths[pool].argsort(stable=True)].reshape(-1, batch_size)
        inner = torch.stack([torch.randperm(batch_size, generator=generator) for _ in batches])  # fair to every rank
        pieces.append(batches.gather(1, inner)[torch.randperm(len(batches), generator=generator)].flatten())
    return torch.cat([*pieces, order[whole:]])


def _equal(count: int, size: int) -> list[tuple[int, int]]:
    return [(i * size, (i + 1) * size) for i in range(count)]


def _covering(total: int, size: int, world: int) -> list[tuple[int, int]]:
    """Ranges of `size` that cover 0..total; a last one too small for all ranks is merged with the one before."""
    edges = [*range(0, total, size), total]
    if len(edges) > 2 and edges[-1] - edges[-2] < world:
        del edges[-2]
    return list(pairwise(edges))


def _share(low: int, high: int, rank: int, world: int) -> tuple[int, int]:
    """The rank's part of low..high, as by torch.tensor_split: if uneven, the first ranks take one more."""
    each, more = divmod(high - low, world)
    first = low + rank * each + min(rank, more)
    return first, first + each + (rank < more)
