"""Numbers brought to a common scale, with statistics of the training part only."""

from typing import Literal

import torch
from torch import Tensor, nn

CHUNK = 4096  # samples widened to float64 at a time, so that a large uint8 tensor is never copied whole


class Standardize(nn.Module):
    """`(x - mean) / std`, per channel of images and per column of tables; `[]` is a single number per sample.

    `minmax` shifts by the least value and divides by the range instead; `none` leaves the numbers as they are. The
    buffers travel with the weights, so a finished net takes raw inputs. A constant column is only shifted.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, input_shape: list[int], kind: Literal["zscore", "minmax", "none"] = "zscore") -> None:
        super().__init__()
        self.kind = kind
        one_per = list(input_shape[:1]) + [1] * (len(input_shape) - 1)
        self.register_buffer("mean", torch.zeros(one_per))
        self.register_buffer("std", torch.ones(one_per))

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Take the statistics of `x` (N, *input_shape)."""
        if self.kind == "none":
            return
        spare = [dim for dim in range(x.dim()) if dim == 0 or dim > 1]  # all but the channel or column
        centre, scale = _moments(x, spare) if self.kind == "zscore" else _limits(x, spare)
        scale[scale == 0] = 1
        self.mean.copy_(centre.reshape(self.mean.shape))
        self.std.copy_(scale.reshape(self.std.shape))

    def forward(self, x: Tensor) -> Tensor:
        return (x.to(self.mean.dtype) - self.mean) / self.std


def _moments(x: Tensor, dims: list[int]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation in two passes, which loses no digits where the mean is large."""
    count = x.numel() / _kept(x, dims)
    mean = torch.stack([part.double().sum(dims) for part in x.split(CHUNK)]).sum(0) / count
    centre = mean.reshape([1, -1] + [1] * (x.dim() - 2)) if x.dim() > 1 else mean
    square = torch.stack([(part.double() - centre).square().sum(dims) for part in x.split(CHUNK)]).sum(0) / count
    return mean, square.sqrt()


def _limits(x: Tensor, dims: list[int]) -> tuple[Tensor, Tensor]:
    low = torch.stack([part.amin(dims) for part in x.split(CHUNK)]).amin(0).double()
    high = torch.stack([part.amax(dims) for part in x.split(CHUNK)]).amax(0).double()
    return low, high - low


def _kept(x: Tensor, dims: list[int]) -> int:
    return 1 if len(dims) == x.dim() else x.shape[1]
