"""The level and scale of a window, taken out before a forecasting net and put back after it.

B windows, L steps, F columns.
"""

from typing import Literal

import torch
from torch import Tensor

Normalize = Literal["none", "last", "window"]
EPS = 1e-5  # variance that is added, so that constant windows can be divided by their standard deviation


def level_and_scale(x_BLF: Tensor, normalize: Normalize) -> tuple[Tensor, Tensor]:
    """The last step and 1, or the mean and the standard deviation of the `window`, or with `none` 0 and 1 (B, 1, F)."""
    if normalize == "window":
        variance_B1F = x_BLF.var(dim=1, keepdim=True, correction=0)
        return x_BLF.mean(dim=1, keepdim=True), (variance_B1F + EPS).sqrt()
    last_B1F = x_BLF[:, -1:]
    return last_B1F if normalize == "last" else torch.zeros_like(last_B1F), torch.ones_like(last_B1F)
