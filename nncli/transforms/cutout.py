"""A square hole at a random position (DeVries & Taylor 2017, arXiv:1708.04552)."""

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

from nncli.transforms.box import box, sides
from nncli.transforms.draw import chosen


class Cutout(nn.Module):
    """Zeros in a square of each image (B, C, H, W). Its center is any pixel, so it may extend beyond the edge."""

    def __init__(
        self, side: Annotated[float, Interval(gt=0, le=1)], prob: Annotated[float, Interval(ge=0, le=1)]
    ) -> None:
        super().__init__()
        self.side, self.prob = side, prob

    def forward(self, x: Tensor) -> Tensor:
        height, width = sides(x)
        size = round(self.side * min(height, width))
        top = torch.randint(height, (len(x),), device=x.device) - size // 2
        left = torch.randint(width, (len(x),), device=x.device) - size // 2
        hole = chosen(self.prob, x) * size
        return x.masked_fill(box(x, top, hole, left, hole), 0.0)
