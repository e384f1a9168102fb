"""TrivialAugment, the wide form (Müller & Hutter 2021, arXiv:2103.10158)."""

from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from nncli.transforms.box import sides
from nncli.transforms.photo import Reach, photo_changed

SHIFT = 32  # pixels
REACH = Reach(shear=0.99, shift=1.0, degrees=135, factor=0.99, bits=6)


class TrivialAugment(nn.Module):
    """Apply one of fourteen operations of random strength to each image (B, C, H, W). Nothing to tune."""

    pixels: ClassVar[bool] = True

    def __init__(self, fill: Annotated[float, Ge(0)], white: Annotated[float, Gt(0)]) -> None:
        super().__init__()
        self.fill, self.white = fill, white

    def forward(self, x: Tensor) -> Tensor:
        strength = torch.rand(len(x)) * 2 - 1
        reach = replace(REACH, shift=min(1.0, SHIFT / max(sides(x))))
        return photo_changed(x, torch.randint(14, (len(x),)), strength, reach, self.fill, self.white)
