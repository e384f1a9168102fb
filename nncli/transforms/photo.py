"""The fourteen operations that RandAugment and TrivialAugment draw from. B samples, C channels, H W size."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nncli.transforms.affine import sheared, turned, warp
from nncli.transforms.box import sides
from nncli.transforms.color import recolored

GREYS = 255  # posterizing and equalizing are defined on bytes


@dataclass(frozen=True)
class Reach:
    """The strongest form of each operation."""

    shear: float  # pixels per pixel
    shift: float  # fraction of a side
    degrees: float
    factor: float  # of brightness, contrast, saturation and sharpness: 1 ± this
    bits: int  # of 8 that posterizing removes


def photo_changed(x: Tensor, which_B: Tensor, strength_B: Tensor, reach: Reach, fill: float, white: float) -> Tensor:
    """Apply operation number `which` (0 to 13) to pixels from 0 to `white`, with a strength from -1 to 1.

    `which` and `strength` are on the CPU, so that grouping the samples by operation does not synchronize with the GPU.
    """
    sides(x)
    groups: list[tuple[range, Callable[[Tensor, Tensor, Tensor], Tensor]]] = [
        (range(1, 6), lambda x, kind, by: moved(x, kind, by, reach, fill)),
        (range(6, 9), lambda x, kind, by: relit(x, kind, by * reach.factor).clamp_(0, white)),
        (range(9, 10), lambda x, _, by: sharpened(x, 1 + by * reach.factor).clamp_(0, white)),
        (range(10, 11), lambda x, _, by: posterized(x / white, 8 - (by.abs() * reach.bits).round()) * white),
        (range(11, 12), lambda x, _, by: torch.where(x < white * (1 - _wide(by.abs())), x, white - x)),
        (range(12, 13), lambda x, _, by: stretched(x / white) * white),
        (range(13, 14), lambda x, _, by: equalized(x / white) * white),
    ]  # 0 changes nothing
    out = x.clone()
    for kinds, change in groups:
        rows = ((which_B >= kinds.start) & (which_B < kinds.stop)).nonzero()[:, 0]
        if len(rows):
            kind, by = (t[rows].to(x.device, non_blocking=True) for t in (which_B - kinds.start, strength_B))
            rows = rows.to(x.device, non_blocking=True)
            out.index_copy_(0, rows, change(x.index_select(0, rows), kind, by))
    return out


def moved(x: Tensor, kind_B: Tensor, by_B: Tensor, reach: Reach, fill: float) -> Tensor:
    """Sheared along x or y, shifted along x or y, or rotated."""
    shear_x, shear_y, right, down, turn = (by_B.where(kind_B == kind, 0.0) for kind in range(5))
    back_B22 = turned(turn * math.radians(reach.degrees)) @ sheared(shear_x * reach.shear, shear_y * reach.shear)
    shift_B2 = torch.stack([right * x.shape[3], down * x.shape[2]], dim=1) * reach.shift
    return warp(x, back_B22, shift_B2, fill)


def relit(x: Tensor, kind_B: Tensor, by_B: Tensor) -> Tensor:
    """Changed in brightness, contrast or saturation."""
    brightness, contrast, saturation = (1 + by_B.where(kind_B == kind, 0.0) for kind in range(3))
    return recolored(x, brightness, contrast, saturation, torch.zeros_like(by_B))


def sharpened(x: Tensor, factor_B: Tensor) -> Tensor:
    """Extrapolated from the image smoothed by [1 1 1, 1 5 1, 1 1 1] / 13; the outermost pixels do not change."""
    if min(x.shape[2:]) < 3:
        return x
    inside = x[:, :, 1:-1, 1:-1]
    smooth = (9 * functional.avg_pool2d(x, 3, 1) + 4 * inside) / 13
    out = x.clone()
    out[:, :, 1:-1, 1:-1] = smooth + _wide(factor_B) * (inside - smooth)
    return out


def posterized(x: Tensor, bits_B: Tensor) -> Tensor:
    """Pixels from 0 to 1, reduced to the upper bits of their byte."""
    step = _wide(2 ** (8 - bits_B))
    return ((x * GREYS).round() / step).floor() * step / GREYS


def stretched(x: Tensor) -> Tensor:
    """Each channel of each image stretched to the range 0 to 1; a constant one does not change."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp(min=1e-6), x)


def equalized(x: Tensor) -> Tensor:
    """The histogram of each channel of each image equalized, as in Pillow, for pixels from 0 to 1."""
    grey = (x * GREYS).round().long().clamp_(0, GREYS).flatten(2)
    count = torch.zeros(*grey.shape[:2], GREYS + 1, dtype=torch.int32, device=x.device)
    count.scatter_add_(2, grey, torch.ones((), dtype=torch.int32, device=x.device).expand_as(grey))
    brightest = count.gather(2, grey.amax(2, keepdim=True))
    step = (count.sum(2, keepdim=True) - brightest) // GREYS
    below = count.cumsum(2) - count
    level = ((below + step // 2) // step.clamp(min=1)).clamp_(max=GREYS)
    return torch.where(step > 0, level.gather(2, grey), grey).view_as(x).to(x.dtype) / GREYS


def _wide(by_B: Tensor) -> Tensor:
    return by_B[:, None, None, None]
