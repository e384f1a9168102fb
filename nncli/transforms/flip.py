"""Mirror images."""

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

from nncli.transforms.box import sides

Share = Annotated[float, Interval(ge=0, le=1)]


class Flip(nn.Module):
    """Mirror these fractions of the images (B, C, H, W): left to right, and upside down."""

    def __init__(self, horizontal: Share, vertical: Share) -> None:
        super().__init__()
        self.horizontal, self.vertical = horizontal, vertical

    def forward(self, x: Tensor) -> Tensor:
        sides(x)
        for share, side in ((self.horizontal, 3), (self.vertical, 2)):
            if share:
                x = torch.where(torch.rand(len(x), 1, 1, 1, device=x.device) < share, x.flip(side), x)
        return x
