"""One part of a data set, whose samples are fetched a whole batch at a time.

B samples of a batch, T steps of a series or text, F values per step, L length of a window, H steps ahead.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from nncli.data.numbers import PAD

CHUNK = 4096  # samples at a time when a whole part is read
CHUNK_BYTES = 1 << 26  # and about as many bytes: samples may be large, or a part larger than memory


class Rows(ABC):
    """Samples by index. `labels` are the targets if each sample has a single number."""

    labels: Tensor | None = None
    lengths: Tensor | None = None  # (N,) if the samples differ in length; batches then have similar lengths
    decodes = False  # whether `take` reads and decodes files, so that worker processes help

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs and targets of these samples, as one batch."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """The size of the part in memory."""

    @property
    def overlap(self) -> int:
        """How many samples in a row share values; more than 1 for windows that overlap."""
        return 1

    def span(self, low: int, high: int) -> tuple[Tensor, Tensor]:
        """Consecutive samples; cheaper than `take` if a slice suffices."""
        return self.take(torch.arange(low, high))

    def to(self, device: torch.device) -> Self:
        """The same part stored on a device, if possible."""
        return self

    def chunks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All samples in order, in chunks."""
        size = self.at_once(CHUNK)
        for low in range(0, len(self), size):
            yield self.span(low, min(low + size, len(self)))

    def spread(self, most: int) -> Tensor:
        """Up to `most` samples, evenly spaced."""
        return torch.linspace(0, len(self) - 1, min(len(self), most), dtype=torch.float64).round().long()

    def at_once(self, most: int) -> int:
        """How many samples, up to `most`, to read together without filling the memory."""
        return min(most, max(1, CHUNK_BYTES // max(1, sum(t.nbytes for t in self.span(0, min(1, len(self)))))))

    def inputs(self) -> Iterator[Tensor]:
        """The inputs for statistics, each value of the part once."""
        return (x for x, _ in self.chunks())

    def traits(self) -> dict[str, Any]:
        """Whether samples are pictures or numbers, whether targets are classes or numbers, and how many per sample."""
        x, y = self.span(0, 1)
        targets = {"targets": "numbers", "width": y[0].numel()} if y.is_floating_point() else {"targets": "classes"}
        return {"samples": "pictures" if x.dim() == 4 else "numbers", **targets}


class InMemory(Rows):
    """Inputs and targets as two tensors."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        if len(x) != len(y):
            raise ValueError(f"{len(x)} inputs and {len(y)} targets")
        self.x, self.y = x, y
        self.labels = y if y.dim() == 1 else None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        rows = rows.to(self.x.device, non_blocking=True)
        return self.x.index_select(0, rows), self.y.index_select(0, rows)

    def span(self, low: int, high: int) -> tuple[Tensor, Tensor]:
        return self.x[low:high], self.y[low:high]

    @property
    def nbytes(self) -> int:
        return self.x.nbytes + self.y.nbytes

    def to(self, device: torch.device) -> "InMemory":
        return InMemory(self.x.to(device), self.y.to(device))


class Mapped(Rows):
    """Inputs in a memory-mapped file, which may be larger than memory; targets in memory."""

    def __init__(self, x: np.ndarray, y: Tensor, which: Tensor | None = None) -> None:
        self.x, self.y = x, y
        self.which = torch.arange(len(x)) if which is None else which  # the rows of `x` that belong to this part
        self.labels = y if y.dim() == 1 else None

    def __len__(self) -> int:
        return len(self.which)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(self.x[self.which[rows].numpy()]), self.y.index_select(0, rows)

    @property
    def nbytes(self) -> int:
        return len(self.which) * self.x.nbytes // max(1, len(self.x)) + self.y.nbytes


class Ragged(Rows):
    """Sequences of tokens of different lengths, padded to the longest of a batch."""

    def __init__(self, flat: Tensor, starts: Tensor, lengths: Tensor, y: Tensor) -> None:
        self.flat, self.starts, self.lengths, self.y = flat, starts, lengths, y
        self.labels = y if y.dim() == 1 else None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        assert self.lengths is not None
        lengths = self.lengths.index_select(0, rows)  # on the CPU, so that the longest is known without synchronizing
        longest = int(lengths.max()) if len(rows) else 0
        rows, lengths = (t.to(self.flat.device, non_blocking=True) for t in (rows, lengths))
        place_BT = torch.arange(longest, device=self.flat.device)[None, :]
        there_BT = place_BT < lengths[:, None]
        from_BT = torch.where(there_BT, self.starts.index_select(0, rows)[:, None] + place_BT, 0)
        return torch.where(there_BT, self.flat[from_BT].long(), PAD), self.y.index_select(0, rows)

    @property
    def nbytes(self) -> int:
        return self.flat.nbytes + self.y.nbytes + 2 * self.starts.nbytes

    def inputs(self) -> Iterator[Tensor]:
        return iter(())  # tokens have no scale

    def to(self, device: torch.device) -> "Ragged":
        assert self.lengths is not None
        return Ragged(self.flat.to(device), self.starts.to(device), self.lengths, self.y.to(device))


class Windows(Rows):
    """Windows of one long series: inputs `values[s : s + length]`, targets `values[s + offset : ... + ahead]`.

    A forecast has offset = length; a language model with a target at every step has offset = 1 and ahead = length.
    `columns` are those of the targets; None takes all, for a text (T,) its tokens. `fitted` is the range of the series
    from which statistics are computed.
    """

    def __init__(
        self,
        values: Tensor,
        starts: Tensor,
        length: int,
        *,
        offset: int,
        ahead: int,
        columns: list[int] | None = None,
        fitted: tuple[int, int] | None = None,
    ) -> None:
        self.values, self.starts, self.length, self.offset, self.ahead = values, starts, length, offset, ahead
        self.columns = columns
        self.fitted = fitted

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        starts = self.starts.index_select(0, rows.to(self.starts.device, non_blocking=True))[:, None]
        steps = torch.arange(max(self.length, self.offset + self.ahead), device=self.values.device)
        x = self.values[starts + steps[: self.length]]
        y = self.values[starts + steps[self.offset : self.offset + self.ahead]]
        if self.columns is not None:
            y = y[..., self.columns]
        return (x, y) if x.is_floating_point() else (x.long(), y.long())

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.starts.nbytes

    @property
    def overlap(self) -> int:
        stride = int(self.starts.diff().min()) if len(self.starts) > 1 else 1
        return -(-max(self.length, self.offset + self.ahead) // max(1, stride))

    def inputs(self) -> Iterator[Tensor]:
        low, high = self.fitted or (0, len(self.values))
        return iter(self.values[low:high].split(CHUNK))

    def to(self, device: torch.device) -> "Windows":
        return Windows(
            self.values.to(device),
            self.starts.to(device),
            self.length,
            offset=self.offset,
            ahead=self.ahead,
            columns=self.columns,
            fitted=self.fitted,
        )
