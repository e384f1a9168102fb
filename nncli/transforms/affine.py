"""Rotation, shift, zoom and shear of images in one pass of bilinear sampling. B samples, C channels, H W size."""

import math
from typing import Annotated

import torch
from annotated_types import Interval, Len
from torch import Tensor, nn
from torch.nn import functional

from nncli.transforms.box import sides
from nncli.transforms.draw import between

Zoom = Annotated[list[float], Len(2, 2)]


class Affine(nn.Module):
    """Rotate, shear, zoom and shift each image (B, C, H, W) by amounts drawn uniformly for it; zeros fill the gaps."""

    def __init__(
        self,
        degrees: Annotated[float, Interval(ge=0, le=180)],
        shift: Annotated[float, Interval(ge=0, le=1)],
        zoom: Zoom,
        shear: Annotated[float, Interval(ge=0, lt=90)],
    ) -> None:
        super().__init__()
        if not 0 < zoom[0] <= zoom[1]:
            raise ValueError(f"zoom is the smallest and the largest factor, such as [0.9, 1.1], not {zoom}")
        self.degrees, self.shift, self.zoom, self.shear = degrees, shift, zoom, shear

    def forward(self, x: Tensor) -> Tensor:
        height, width = sides(x)
        turn = between(-math.radians(self.degrees), math.radians(self.degrees), x)
        slant = between(-math.radians(self.shear), math.radians(self.shear), x).tan()
        zoom = between(math.log(self.zoom[0]), math.log(self.zoom[1]), x).exp()  # halving as often as doubling
        right, down = (between(-self.shift * side, self.shift * side, x) for side in (width, height))
        back_B22 = turned(turn) @ sheared(slant, torch.zeros_like(slant)) / zoom[:, None, None]
        return warp(x, back_B22, torch.stack([right, down], dim=1))


def turned(angle_B: Tensor) -> Tensor:
    """Matrices (B, 2, 2) from each pixel (x, y) of images rotated counter-clockwise by these radians to its source."""
    cos, sin = angle_B.cos(), angle_B.sin()
    return torch.stack([cos, -sin, sin, cos], dim=1).unflatten(1, (2, 2))


def sheared(along_x_B: Tensor, along_y_B: Tensor) -> Tensor:
    """The same for images whose rows or columns are shifted by these amounts per pixel."""
    one = torch.ones_like(along_x_B)
    return torch.stack([one, along_x_B, along_y_B, one], dim=1).unflatten(1, (2, 2))


def warp(x: Tensor, back_B22: Tensor, shift_B2: Tensor, fill: float = 0.0) -> Tensor:
    """Images whose pixels come from `back` times their position relative to the center; then shifted right and down.

    Matrices and shifts are in pixels; torch's coordinates go from -1 to 1 along each side.
    """
    height, width = sides(x)
    theta_B23 = torch.cat([back_B22, -back_B22 @ shift_B2[:, :, None]], dim=2)
    theta_B23[:, 0] /= width / 2
    theta_B23[:, 1] /= height / 2
    theta_B23[:, :, 0] *= width / 2
    theta_B23[:, :, 1] *= height / 2
    grid = functional.affine_grid(theta_B23, list(x.shape), align_corners=False)
    inside = x - fill if fill else x  # torch can only fill with 0
    moved = functional.grid_sample(inside, grid, align_corners=False)
    return moved.add_(fill) if fill else moved
