"""Numbers on a common scale, with statistics of the training part only."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from nncli.contracts import Inputs as Inputs

CHUNK = 4096  # samples converted to float64 at a time, so that a large uint8 tensor is never copied as a whole


class Standardize(nn.Module):
    """`(x - mean) / std`, per channel of images and per column of tables; `[]` is a single number per sample.

    `minmax` subtracts the minimum and divides by the range instead; `none` leaves the numbers as they are. The
    channels of images are the first dimension of a sample, those of series (steps, values) the last. The buffers are
    stored with the weights, so a trained net takes raw inputs. A constant column is only shifted.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        input_shape: list[int],
        kind: Literal["zscore", "minmax", "none"] = "zscore",
        channels: Literal["first", "last"] = "first",
    ) -> None:
        super().__init__()
        self.kind, self.channels = kind, channels
        spread = [] if channels == "last" else [1] * (len(input_shape) - 1)
        one_per = [*(input_shape[-1:] if channels == "last" else input_shape[:1]), *spread]
        self.register_buffer("mean", torch.zeros(one_per))
        self.register_buffer("std", torch.ones(one_per))

    @torch.no_grad()
    def fit(self, inputs: Inputs) -> None:
        """Compute the statistics of all inputs (N, *input_shape), which are read in pieces, possibly several times."""
        if self.kind == "none":
            return
        if (counts := _counted(inputs, self.channels)) is not None:
            centre, scale = _of_bytes(counts, self.kind)
        else:
            centre, scale = (_moments if self.kind == "zscore" else _limits)(self._columns(inputs))
        scale[scale == 0] = 1
        self.mean.copy_(centre.reshape(self.mean.shape))
        self.std.copy_(scale.reshape(self.std.shape))

    def forward(self, x: Tensor) -> Tensor:
        return (x.to(self.mean.dtype) - self.mean) / self.std

    def undo(self, z: Tensor) -> Tensor:
        """Back to the units of the data."""
        return z * self.std + self.mean

    def _columns(self, inputs: Inputs) -> Inputs:
        """The inputs as (values, channels) in float64."""

        def pieces() -> Iterator[Tensor]:
            channel = -1 if self.channels == "last" else 1
            for whole in inputs():
                for part in whole.split(CHUNK):
                    wide = part.double()
                    yield wide.movedim(channel, -1).flatten(0, -2) if wide.dim() > 1 else wide[:, None]

        return pieces


def _counted(inputs: Inputs, channels: str) -> Tensor | None:
    """Counts of each byte in each channel (C, 256), ten times as fast as sums; None for inputs that are not bytes."""
    total: Tensor | None = None
    for x in inputs():
        if x.dtype != torch.uint8 or x.dim() < 2:
            return None
        by_channel = x.movedim(-1 if channels == "last" else 1, 0).cpu().numpy()
        counts = torch.from_numpy(np.stack([np.bincount(values.ravel(), minlength=256) for values in by_channel]))
        total = counts if total is None else total + counts
    return total


def _of_bytes(counts: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation, or minimum and range, from the counts of bytes."""
    counts = counts.double()
    values = torch.arange(256, dtype=torch.float64)
    if kind == "minmax":
        there = counts > 0
        least = there.double().argmax(1).double()
        return least, 255 - there.flip(1).double().argmax(1) - least
    mean = (counts * values).sum(1) / counts.sum(1)
    return mean, ((counts * (values - mean[:, None]).square()).sum(1) / counts.sum(1)).sqrt()


def _moments(pieces: Inputs) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation in two passes, which is accurate even where the mean is large."""
    sums, counts = zip(*((part.sum(0), len(part)) for part in pieces()), strict=True)
    count = sum(counts)
    mean = torch.stack(sums).sum(0) / count
    square = torch.stack([(part - mean).square().sum(0) for part in pieces()]).sum(0) / count
    return mean, square.sqrt()


def _limits(pieces: Inputs) -> tuple[Tensor, Tensor]:
    low, high = zip(*((part.amin(0), part.amax(0)) for part in pieces()), strict=True)
    least = torch.stack(low).amin(0)
    return least, torch.stack(high).amax(0) - least
