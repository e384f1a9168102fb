"""The predictions of a task for a whole part, with the targets: collected once, then passed to pure functions."""

import os
import tempfile
from typing import Any

import torch
from torch import Tensor, distributed

from nncli.contracts import Batch

IN_MEMORY = 256 * 2**20  # bytes above which answers are written to a file that is mapped into memory


class Answers:
    """Tensors that are filled batch by batch, at most up to the length of the part."""

    def __init__(self, most: int) -> None:
        self.most, self.count = most, 0
        self.columns: list[Tensor] = []
        self.files: list[Any] = []

    def add(self, *columns: Tensor) -> None:
        """Append the predictions for a batch, and its targets and the like."""
        columns = tuple(column.detach().cpu() for column in columns)
        if not self.columns:
            self.columns = [self._empty(column) for column in columns]
        size = len(columns[0])
        for whole, column in zip(self.columns, columns, strict=True):
            whole[self.count : self.count + size] = column
        self.count += size

    def _empty(self, like: Tensor) -> Tensor:
        shape = (self.most, *like.shape[1:])
        size = self.most * like[:1].nelement() * like.element_size()
        if size <= IN_MEMORY:
            return torch.empty(shape, dtype=like.dtype)
        file = tempfile.NamedTemporaryFile(prefix="nn-answers-")  # noqa: SIM115  # closed with this object
        self.files.append(file)
        if hasattr(
            os, "posix_fallocate"
        ):  # so that a full disk raises an error here, instead of killing the process later
            os.posix_fallocate(file.fileno(), 0, size)
        numbers = int(torch.Size(shape).numel())
        return torch.from_file(file.name, shared=True, size=numbers, dtype=like.dtype).view(shape)

    def whole(self) -> tuple[Tensor, ...]:
        """All columns; with several ranks, those of all ranks, on each of them."""
        mine = tuple(column[: self.count] for column in self.columns)
        if not (distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1):
            return mine
        every: list[Any] = [None] * distributed.get_world_size()
        distributed.all_gather_object(every, mine)
        return tuple(torch.cat(parts) for parts in zip(*(some for some in every if some), strict=True))


def dummy(batch: Batch) -> Batch:
    """One sample in place of none, so that this rank takes part when the others gather a net's weights."""
    x, y = batch
    return x.new_zeros(1, *x.shape[1:]), y.new_zeros(1, *y.shape[1:])
