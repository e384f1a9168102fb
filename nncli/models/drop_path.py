"""Stochastic depth: the path of a residual block left out at random (Huang et al. 2016, arXiv:1603.09382)."""

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """While training, set a share `rate` of the samples (B, …) to zero and scale the others, so that the mean stays.

    It stands at the end of a path whose result is added to its input: a sample set to zero skips the block.
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
    """A rate for each of `count` blocks, from 0 for the first straight up to `most` for the last."""
    return [most * place / max(1, count - 1) for place in range(count)]
