"""Brightness, contrast, saturation and hue of pixels by one 3x3 matrix. B samples, C channels, H W size."""

import math
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor, nn

from nncli.transforms.box import sides
from nncli.transforms.draw import between

Change = Annotated[float, Ge(0)]

# the axes of NTSC television: luma, and two of colour, in which saturation is a length and hue an angle
YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
RGB = torch.linalg.inv(YIQ)


class ColorJitter(nn.Module):
    """Scale brightness, contrast and saturation of each image by its own factors in 1 ± the arguments; rotate its hue.

    Pixels of one channel have neither saturation nor hue.
    """

    pixels: ClassVar[bool] = True

    def __init__(
        self,
        brightness: Change,
        contrast: Change,
        saturation: Change,
        hue: Annotated[float, Interval(ge=0, le=0.5)],
        white: Annotated[float, Gt(0)],
    ) -> None:
        super().__init__()
        self.changes = (brightness, contrast, saturation)
        self.hue, self.white = hue, white

    def forward(self, x: Tensor) -> Tensor:
        sides(x)
        brightness, contrast, saturation = (between(max(0.0, 1 - by), 1 + by, x) for by in self.changes)
        turn = between(-self.hue, self.hue, x) * 2 * math.pi
        return recolored(x, brightness, contrast, saturation, turn).clamp_(0, self.white)


def recolored(x: Tensor, brightness_B: Tensor, contrast_B: Tensor, saturation_B: Tensor, turn_B: Tensor) -> Tensor:
    """Scale brightness, the distance from the image's mean grey, and that from each pixel's grey; rotate the hue.

    All four are linear in the pixels and the last two preserve greys, so together they are one matrix and one offset.
    """
    factor = brightness_B * contrast_B
    mean_BC = x.mean((2, 3))
    grey_B = mean_BC @ YIQ[0].to(x) if x.shape[1] == 3 else mean_BC.mean(1)
    added = ((1 - contrast_B) * brightness_B * grey_B)[:, None, None]
    if x.shape[1] != 3:
        return x * factor[:, None, None, None] + added[..., None]
    zero, one = torch.zeros_like(factor), torch.ones_like(factor)
    cos, sin = saturation_B * turn_B.cos(), saturation_B * turn_B.sin()
    inner = torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], dim=1).unflatten(1, (3, 3))
    matrix = RGB.to(x) @ inner @ YIQ.to(x) * factor[:, None, None]
    return torch.baddbmm(added, matrix, x.flatten(2)).view_as(x)
