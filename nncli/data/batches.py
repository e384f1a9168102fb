"""Batches cut from tensors in memory: a whole batch by index, in an order that only seed and epoch decide."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from nncli.errors import DataError


class Batches:
    """The micro-batches of one rank.

    `batch_size` counts samples per optimizer step over all ranks and accumulation. Shuffled (training): step t takes
    `order[t * batch_size : (t + 1) * batch_size]`, an incomplete last step is dropped. Not shuffled (judging): every
    sample once, in natural order; all ranks get equally many batches, some of which may be empty.

    `start` is the (epoch, micro-batch) the next iteration begins at. It is read at the first `next()`, not at
    `iter()`: Lightning makes iterators that it never draws from.
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int,
        rank: int = 0,
        world: int = 1,
        accumulate: int = 1,
        limit: int | None = None,
    ) -> None:
        if batch_size % (world * accumulate):
            raise DataError(
                f"data.batch_size is {batch_size}, which {world} devices × {accumulate} micro-batches do not divide; "
                f"take a multiple of {world * accumulate}"
            )
        self.x, self.y = x, y
        self.shuffle, self.seed = shuffle, seed
        self.start: tuple[int, int] = (0, 0)
        micro = batch_size // accumulate  # samples of one micro-batch over all ranks
        cut = _equal(len(x) // batch_size * accumulate, micro) if shuffle else _covering(len(x), micro, world)
        self.bounds = [_share(low, high, rank, world) for low, high in cut][:limit]

    def __len__(self) -> int:
        return len(self.bounds)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        epoch, position = self.start
        if position >= len(self):
            epoch, position = epoch + 1, 0
        self.start = (epoch + 1, 0)  # here, since nothing runs after the last yield
        order = self.order(epoch).to(self.x.device) if self.shuffle else None
        for low, high in self.bounds[position:]:
            if order is None:
                yield self.x[low:high], self.y[low:high]
            else:
                rows = order[low:high]
                yield self.x.index_select(0, rows), self.y.index_select(0, rows)

    def order(self, epoch: int) -> Tensor:
        """The permutation of all samples in this epoch, the same on every rank."""
        mixed = np.random.SeedSequence((self.seed, epoch)).generate_state(1, np.uint64)[0]
        return torch.randperm(len(self.x), generator=torch.Generator().manual_seed(int(mixed) >> 1))


def _equal(count: int, size: int) -> list[tuple[int, int]]:
    return [(i * size, (i + 1) * size) for i in range(count)]


def _covering(total: int, size: int, world: int) -> list[tuple[int, int]]:
    """Ranges of `size` that cover 0..total; a last one too small for all ranks joins the one before it."""
    edges = [*range(0, total, size), total]
    if len(edges) > 2 and edges[-1] - edges[-2] < world:
        del edges[-2]
    return list(pairwise(edges))


def _share(low: int, high: int, rank: int, world: int) -> tuple[int, int]:
    """The rank's part of low..high, as torch.tensor_split cuts it: the first ranks take one more if it is uneven."""
    each, more = divmod(high - low, world)
    first = low + rank * each + min(rank, more)
    return first, first + each + (rank < more)
