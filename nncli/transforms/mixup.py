"""Mixtures of two samples, with mixed targets (Zhang et al. 2017, arXiv:1710.09412)."""

from typing import Annotated

import torch
from annotated_types import Gt, Interval
from torch import Tensor, nn
from torch.distributions import Beta

from nncli.transforms.draw import chosen


class Mixup(nn.Module):
    """A weighted mean of each sample and its neighbour in the batch, with its own weight from Beta(alpha, alpha).

    The order of a batch is random, so the neighbour is any sample.
    """

    def __init__(self, alpha: Annotated[float, Gt(0)], prob: Annotated[float, Interval(ge=0, le=1)]) -> None:
        super().__init__()
        self.alpha, self.prob = alpha, prob

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Samples of any shape and the probabilities of their classes (B, K)."""
        own = torch.where(chosen(self.prob, x), own_share(self.alpha, x), 1.0)
        y = torch.lerp(y.roll(1, 0), y, own[:, None])
        return torch.lerp(x.roll(1, 0), x, own.view(-1, *[1] * (x.dim() - 1))), y


def own_share(alpha: float, x: Tensor) -> Tensor:
    """(B,) from Beta(alpha, alpha)."""
    both = torch.full((len(x),), float(alpha), device=x.device)
    return Beta(both, both, validate_args=False).sample()
