"""Gaussian blur of another width for each image. B samples, C channels, H W size."""

from typing import Annotated

import torch
from annotated_types import Interval, Len
from torch import Tensor, nn

from nncli.transforms.box import sides
from nncli.transforms.draw import between, chosen

REACH = 5  # deviations that the bell is wide


class Blur(nn.Module):
    """Blur a share of the images (B, C, H, W), each by a deviation of its own, in pixels."""

    def __init__(self, sigma: Annotated[list[float], Len(2, 2)], prob: Annotated[float, Interval(ge=0, le=1)]) -> None:
        super().__init__()
        if not 0 < sigma[0] <= sigma[1]:
            raise ValueError(f"sigma is the least and the greatest deviation in pixels, such as [0.1, 2], not {sigma}")
        self.sigma, self.prob = sigma, prob

    def forward(self, x: Tensor) -> Tensor:
        height, width = sides(x)
        sigma = between(self.sigma[0], self.sigma[1], x).where(chosen(self.prob, x), 1e-3)
        # as two products with matrices of weights; faster than a convolution whose kernel differs in each image
        rows = torch.bmm(x.flatten(1, 2), _weights(sigma, width).transpose(1, 2)).view_as(x)
        return _weights(sigma, height)[:, None] @ rows


def _weights(sigma_B: Tensor, size: int) -> Tensor:
    """What each pixel of a side takes from each other (B, size, size); nothing from beyond the edge."""
    place = torch.arange(size, device=sigma_B.device)
    apart = (place[:, None] - place) / sigma_B[:, None, None]
    far = apart.abs() > REACH  # and so 0; weights of 1e-40 would slow the product down tenfold
    return torch.softmax((-0.5 * apart.square()).masked_fill(far, -torch.inf), dim=2)
