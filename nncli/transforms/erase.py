"""A rectangular hole of random size and shape (Zhong et al. 2017, arXiv:1708.04896)."""

import math
from typing import Annotated

from annotated_types import Ge, Interval, Len
from torch import Tensor, nn

from nncli.transforms.box import box, sides
from nncli.transforms.draw import between, chosen


class Erase(nn.Module):
    """Zeros in a rectangle inside each image (B, C, H, W): a share of its area, up to `aspect` times as high as wide.

    A rectangle longer than a side is cut to it.
    """

    def __init__(
        self,
        share: Annotated[list[float], Len(2, 2)],
        aspect: Annotated[float, Ge(1)],
        prob: Annotated[float, Interval(ge=0, le=1)],
    ) -> None:
        super().__init__()
        if not 0 < share[0] <= share[1] <= 1:
            raise ValueError(
                f"share is the smallest and the largest part of the area, such as [0.02, 0.33], not {share}"
            )
        self.share, self.aspect, self.prob = share, aspect, prob

    def forward(self, x: Tensor) -> Tensor:
        height, width = sides(x)
        area = between(self.share[0], self.share[1], x) * height * width
        form = between(-math.log(self.aspect), math.log(self.aspect), x).exp()
        high = (area * form).sqrt().round().clamp(1, height) * chosen(self.prob, x)
        wide = (area / form).sqrt().round().clamp(1, width)
        top = (between(0, 1, x) * (height - high + 1)).floor()
        left = (between(0, 1, x) * (width - wide + 1)).floor()
        return x.masked_fill(box(x, top, high, left, wide), 0.0)
