"""Gaussian blur with its own width for each image. B samples, C channels, H W size."""

from typing import Annotated

import torch
from annotated_types import Interval, Len
from torch import Tensor, nn

from nncli.transforms.box import sides
from nncli.transforms.draw import between, chosen

REACH = 5  # standard deviations at which the kernel is cut off


class Blur(nn.Module):
    """Blur a fraction of the images (B, C, H, W), each with its own standard deviation in pixels."""

    def __init__(self, sigma: Annotated[list[float], Len(2, 2)], prob: Annotated[float, Interval(ge=0, le=1)]) -> None:
        super().__init__()
        if not 0 < sigma[0] <= sigma[1]:
            raise ValueError(
                f"sigma is the smallest and the largest deviation in pixels, such as [0.1, 2], not {sigma}"
            )
        self.sigma, self.prob = sigma, prob

    def forward(self, x: Tensor) -> Tensor:
        height, width = sides(x)
        sigma = between(self.sigma[0], self.sigma[1], x).where(chosen(self.prob, x), 1e-3)
        # two matrix products, which are faster than a convolution with a different kernel for each image
        rows = torch.bmm(x.flatten(1, 2), _weights(sigma, width).transpose(1, 2)).view_as(x)
        return _weights(sigma, height)[:, None] @ rows


def _weights(sigma_B: Tensor, size: int) -> Tensor:
    """The weight of each pixel of a side in each other (B, size, size), normalized within the image."""
    place = torch.arange(size, device=sigma_B.device)
    apart = (place[:, None] - place) / sigma_B[:, None, None]
    far = apart.abs() > REACH  # set to 0, since weights of 1e-40 would make the product ten times slower
    return torch.softmax((-0.5 * apart.square()).masked_fill(far, -torch.inf), dim=2)
