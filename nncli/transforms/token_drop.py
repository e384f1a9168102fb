"""Tokens made unknown, so that a net does not lean on single words (Iyyer et al. 2015, word dropout)."""

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

PAD, UNKNOWN = 0, 1


class TokenDrop(nn.Module):
    """Put the id of the unknown word in place of a share of the tokens (B, T); what fills up short rows stays."""

    def __init__(self, prob: Annotated[float, Interval(ge=0, le=1)]) -> None:
        super().__init__()
        self.prob = prob

    def forward(self, ids: Tensor) -> Tensor:
        dropped = (torch.rand(ids.shape, device=ids.device) < self.prob) & (ids != PAD)
        return ids.masked_fill(dropped, UNKNOWN)
