"""RandAugment (Cubuk et al. 2019, arXiv:1909.13719)."""

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor, nn

from nncli.transforms.photo import Reach, photo_changed

REACH = Reach(shear=0.3, shift=0.45, degrees=30, factor=0.9, bits=4)


class RandAugment(nn.Module):
    """Apply `ops` of fourteen operations to each image (B, C, H, W), one after another, all of the same strength."""

    pixels: ClassVar[bool] = True

    def __init__(
        self,
        ops: Annotated[int, Ge(1)],
        magnitude: Annotated[float, Interval(ge=0, le=30)],
        fill: Annotated[float, Ge(0)],
        white: Annotated[float, Gt(0)],
    ) -> None:
        super().__init__()
        self.ops, self.magnitude, self.fill, self.white = ops, magnitude, fill, white

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.ops):
            which, sign = torch.randint(14, (len(x),)), torch.randint(2, (len(x),)) * 2 - 1
            x = photo_changed(x, which, sign * self.magnitude / 30, REACH, self.fill, self.white)
        return x
