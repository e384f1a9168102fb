"""Random crops and horizontal flips, the usual pair for small photographs (He et al. 2015, section 4.2)."""

from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional

from nncli.transforms.box import sides

BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
PRIME = 65521


class CropFlip(nn.Module):
    """Shift each image (B, C, H, W) by up to `padding` pixels, padded with zeros, and mirror half of them.

    `alternate` mirrors each image in every second epoch, half of them in the even ones: two epochs show both versions
    of each image, where random flips show half of the images twice alike (Jordan 2024, arXiv:2404.00498, section 3.6).

    Draws from torch's global random state on the batch's device.
    """

    def __init__(self, padding: Annotated[int, Ge(0)], flip: bool | Literal["alternate"]) -> None:
        super().__init__()
        self.padding = padding
        self.flip = flip
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def forward(self, x: Tensor) -> Tensor:
        return self.by_original(x, x)

    def by_original(self, x: Tensor, original: Tensor) -> Tensor:
        """The changed images; the raw ones determine which of them are mirrored in this epoch."""
        (height, width), batch = sides(x), len(x)
        windows = functional.pad(x, [self.padding] * 4).unfold(2, height, 1).unfold(3, width, 1)  # views, no copy
        row, column = torch.randint(2 * self.padding + 1, (2, batch), device=x.device)
        x = windows[torch.arange(batch, device=x.device), :, row, column]
        if not self.flip:
            return x
        if self.flip == "alternate":
            mirrored = fixed_half(original) ^ (self.epoch % 2 == 1)
        else:
            mirrored = torch.rand(batch, device=x.device) < 0.5
        return torch.where(mirrored[:, None, None, None], x.flip(3), x)


def fixed_half(x: Tensor) -> Tensor:
    """(B,) true for about half of all images, by a hash of their values: the same in any batch and on any device."""
    sides(x)
    whole = x.contiguous().view(BITS[x.element_size()]) if x.is_floating_point() else x  # integers add exactly
    rows = whole.sum(3, dtype=torch.int64).flatten(1)
    factors = torch.arange(1, rows.shape[1] + 1, device=x.device) * 40503 % 65536
    return (rows * factors).sum(1) % PRIME % 2 == 1
