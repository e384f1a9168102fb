"""One random number for each sample of a batch, from torch's global random state on the batch's device."""

import torch
from torch import Tensor


def between(low: float, high: float, x: Tensor) -> Tensor:
    """(B,) drawn uniformly."""
    return low + (high - low) * torch.rand(len(x), device=x.device)


def chosen(share: float, x: Tensor) -> Tensor:
    """(B,) true with this probability."""
    return torch.rand(len(x), device=x.device) < share
