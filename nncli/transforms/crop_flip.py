"""Random crops and mirror images, the usual pair for small photographs (He et al. 2015, section 4.2)."""

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional

from nncli.transforms.box import sides


class CropFlip(nn.Module):
    """Shift each image (B, C, H, W) by up to `padding` pixels, zeros moving in, and mirror half of them.

    Draws from torch's global random state on the batch's device.
    """

    def __init__(self, padding: Annotated[int, Ge(0)], flip: bool) -> None:
        super().__init__()
        self.padding = padding
        self.flip = flip

    def forward(self, x: Tensor) -> Tensor:
        (height, width), batch = sides(x), len(x)
        windows = functional.pad(x, [self.padding] * 4).unfold(2, height, 1).unfold(3, width, 1)  # views, no copy
        row, column = torch.randint(2 * self.padding + 1, (2, batch), device=x.device)
        x = windows[torch.arange(batch, device=x.device), :, row, column]
        if self.flip:
            mirrored = torch.rand(batch, 1, 1, 1, device=x.device) < 0.5
            x = torch.where(mirrored, x.flip(3), x)
        return x
