"""Densely connected nets (Huang, Liu, van der Maaten & Weinberger 2016), in the DenseNet-BC form.

B batch, C channels, H W size. Every layer adds `growth` channels to all that came before it; between two blocks a
transition halves channels, height and width.
"""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Interval
from torch import Tensor, nn

from nncli.models.picture import picture

BLOCKS = {  # layers of each block: three for CIFAR (section 4.2), four for ImageNet (table 1)
    40: (6, 6, 6),
    100: (16, 16, 16),
    190: (31, 31, 31),
    250: (41, 41, 41),
    121: (6, 12, 24, 16),
    161: (6, 12, 36, 24),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
}


def _conv(inner: int, outer: int, size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution, padded so that only the stride reduces H and W."""
    conv = nn.Conv2d(inner, outer, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv


class Dense(nn.Module):
    """The input, followed by `growth` channels computed from it by a 1x1 and a 3x3 convolution."""

    def __init__(self, inner: int, growth: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            _conv(inner, 4 * growth, 1),
            nn.BatchNorm2d(4 * growth),
            nn.ReLU(),
            _conv(4 * growth, growth, 3),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return torch.cat([x_BCHW, self.path(x_BCHW)], 1)


class DenseNet(nn.Module):
    """Dense blocks, a mean over H W, a linear layer; inputs (B, C, H, W), outputs (B, num_outputs).

    `imagenet` starts with a 7x7 convolution of stride 2 and max-pooling; `cifar` with one 3x3 convolution, for small
    images.
    """

    def __init__(
        self,
        input_shape: list[int],
        num_outputs: Annotated[int, Ge(1)],
        depth: Literal[40, 100, 121, 161, 169, 190, 201, 250],
        form: Literal["imagenet", "cifar"],
        growth: Annotated[int, Ge(1)],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
    ) -> None:
        super().__init__()
        halvings, big = len(BLOCKS[depth]) - 1, form == "imagenet"
        least = 2**halvings * 4 - 3 if big else 2**halvings  # the stem rounds up, the transitions round down
        picture("densenet", input_shape, least, "set model.form=cifar" if big else "use a model.depth of three blocks")
        channels = 2 * growth
        self.stem = nn.Sequential(_conv(input_shape[0], channels, *((7, 2) if big else (3, 1))))
        if big:
            self.stem.extend([nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)])
        blocks: list[nn.Module] = []
        for block, count in enumerate(BLOCKS[depth]):
            if block:
                blocks += [nn.BatchNorm2d(channels), nn.ReLU(), _conv(channels, channels // 2, 1), nn.AvgPool2d(2)]
                channels //= 2
            blocks += [Dense(channels + place * growth, growth) for place in range(count)]
            channels += count * growth
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(channels, num_outputs),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x_BCHW)))
