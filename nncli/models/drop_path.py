"""Stochastic depth: the path of a residual block is dropped at random (Huang et al. 2016, arXiv:1603.09382)."""

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """In training, set a fraction `rate` of the samples (B, …) to zero and scale the others to preserve the mean.

    It is the last layer of a residual path, so a sample that is set to zero skips the block.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        keep = 1 - self.rate
        mask = torch.rand([x.shape[0]] + [1] * (x.dim() - 1), device=x.device) < keep
        return x * (mask.to(x.dtype) / keep)


def rates(most: float, count: int) -> list[float]:
    """A rate for each of `count` blocks, increasing linearly from 0 for the first to `most` for the last."""
    return [most * place / max(1, count - 1) for place in range(count)]
