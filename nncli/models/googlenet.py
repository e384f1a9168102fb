"""GoogLeNet (Szegedy et al. 2014, "Going Deeper with Convolutions"), with the normalization of Ioffe & Szegedy 2015.

B batch, C channels, H W size. Without the two auxiliary heads, which normalization made unnecessary.
"""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Interval
from torch import Tensor, nn

from nncli.models.picture import picture

# table 1: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection; a group for each spatial size
INCEPTIONS = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)


def _conv(inner: int, outer: int, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution, padded so that only the stride reduces H and W, its normalization, ReLU."""
    conv = nn.Conv2d(inner, outer, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(outer), nn.ReLU())


class Inception(nn.Module):
    """Four parallel branches, whose channels are concatenated (figure 2b)."""

    def __init__(self, inner: int, sizes: tuple[int, ...], kernel: int) -> None:
        super().__init__()
        one, three_in, three, five_in, five, pooled = sizes
        self.ways = nn.ModuleList(
            [
                _conv(inner, one, 1),
                nn.Sequential(_conv(inner, three_in, 1), _conv(three_in, three, 3)),
                nn.Sequential(_conv(inner, five_in, 1), _conv(five_in, five, kernel)),
                nn.Sequential(nn.MaxPool2d(3, 1, padding=1), _conv(inner, pooled, 1)),
            ]
        )
        self.channels = one + three + five + pooled

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return torch.cat([way(x_BCHW) for way in self.ways], 1)


class GoogLeNet(nn.Module):
    """Nine inception blocks in three sizes, a mean over H W, a linear layer; (B, C, H, W) to (B, num_outputs).

    `imagenet` starts with a 7x7 convolution and shrinks pictures eightfold before the first block; `cifar` with one
    3x3 at full size, for small images. `kernel` 5 is that of the paper, 3 that of torchvision's parameter count.
    """

    def __init__(
        self,
        input_shape: list[int],
        num_outputs: Annotated[int, Ge(1)],
        form: Literal["imagenet", "cifar"],
        width: Annotated[int, Ge(4)],
        kernel: Literal[3, 5],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
    ) -> None:
        super().__init__()
        picture("googlenet", input_shape)
        channels = 3 * width
        if form == "imagenet":
            self.stem = nn.Sequential(
                _conv(input_shape[0], width, 7, 2),
                nn.MaxPool2d(3, 2, padding=1),
                _conv(width, width, 1),
                _conv(width, channels, 3),
                nn.MaxPool2d(3, 2, padding=1),
            )
        else:
            self.stem = _conv(input_shape[0], channels, 3)
        blocks: list[nn.Module] = []
        for group, inceptions in enumerate(INCEPTIONS):
            blocks += [nn.MaxPool2d(3, 2, padding=1)] if group else []
            for sizes in inceptions:
                block = Inception(channels, tuple(size * width // 64 for size in sizes), kernel)
                blocks.append(block)
                channels = block.channels
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, num_outputs)
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x_BCHW)))
