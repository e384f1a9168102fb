"""Word dropout: random tokens become unknown, so that a net does not rely on single words (Iyyer et al. 2015)."""

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

PAD, UNKNOWN = 0, 1


class TokenDrop(nn.Module):
    """Replace a fraction of the tokens (B, T) by the id of unknown words; padding does not change."""

    def __init__(self, prob: Annotated[float, Interval(ge=0, le=1)]) -> None:
        super().__init__()
        self.prob = prob

    def forward(self, ids: Tensor) -> Tensor:
        dropped = (torch.rand(ids.shape, device=ids.device) < self.prob) & (ids != PAD)
        return ids.masked_fill(dropped, UNKNOWN)
