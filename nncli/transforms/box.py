"""The sides of images, and rectangles in them, one for each sample."""

import torch
from torch import Tensor

from nncli.errors import NnError


def sides(x: Tensor) -> tuple[int, int]:
    """Height and width of images (B, C, H, W)."""
    if x.dim() != 4:
        raise NnError(
            "transform: what it changes or mixes are images, [channels, height, width]; a sample of this data is "
            f"{list(x.shape[1:])}; choose another one, such as transform=standardize"
        )
    return x.shape[2], x.shape[3]


def box(x: Tensor, top_B: Tensor, height_B: Tensor, left_B: Tensor, width_B: Tensor) -> Tensor:
    """A mask (B, 1, H, W) of the pixels in the rectangles, which may extend beyond the edge."""
    rows = torch.arange(x.shape[2], device=x.device)
    columns = torch.arange(x.shape[3], device=x.device)
    in_row = (rows >= top_B[:, None]) & (rows < (top_B + height_B)[:, None])
    in_column = (columns >= left_B[:, None]) & (columns < (left_B + width_B)[:, None])
    return in_row[:, None, :, None] & in_column[:, None, None, :]
