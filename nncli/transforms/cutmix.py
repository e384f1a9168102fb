"""A piece of another image, with targets in proportion to the areas (Yun et al. 2019, arXiv:1905.04899)."""

from typing import Annotated

import torch
from annotated_types import Gt, Interval
from torch import Tensor, nn

from nncli.transforms.box import box, sides
from nncli.transforms.draw import chosen
from nncli.transforms.mixup import own_share


class CutMix(nn.Module):
    """Replace a rectangle of each image (B, C, H, W) by that of its neighbour in the batch.

    It covers 1 - Beta(alpha, alpha) of the area; its center is any pixel, so it may extend beyond the edge.
    """

    def __init__(self, alpha: Annotated[float, Gt(0)], prob: Annotated[float, Interval(ge=0, le=1)]) -> None:
        super().__init__()
        self.alpha, self.prob = alpha, prob

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Images and the probabilities of their classes (B, K)."""
        height, width = sides(x)
        side = (1 - own_share(self.alpha, x)).sqrt() * chosen(self.prob, x)
        high, wide = (side * height).floor(), (side * width).floor()
        top = torch.randint(height, (len(x),), device=x.device) - (high / 2).floor()
        left = torch.randint(width, (len(x),), device=x.device) - (wide / 2).floor()
        theirs = box(x, top, high, left, wide)
        own = 1 - theirs.to(y.dtype).mean((1, 2, 3))  # the part beyond the edge does not count
        return torch.where(theirs, x.roll(1, 0), x), torch.lerp(y.roll(1, 0), y, own[:, None])
