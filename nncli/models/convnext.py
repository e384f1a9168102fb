"""ConvNeXt (Liu et al. 2022, "A ConvNet for the 2020s").

B batch, C channels, H W size. Normalization and perceptron have the channels last, which needs no copy in the
channels_last memory layout.
"""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Interval, MinLen
from torch import Tensor, nn

from nncli.models.drop_path import DropPath, rates
from nncli.models.picture import picture

EPS = 1e-6


class ChannelNorm(nn.LayerNorm):
    """Layer normalization over the channels at each position (B, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """`x + scale * path(x)`: depthwise 7x7 convolution, normalization, then a perceptron at each position."""

    def __init__(self, channels: int, layer_scale: float, drop_path: float) -> None:
        super().__init__()
        self.around = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.at_place = nn.Sequential(
            nn.LayerNorm(channels, eps=EPS),
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Linear(4 * channels, channels),
        )
        self.scale = nn.Parameter(torch.full([channels], layer_scale))
        self.drop_path = DropPath(drop_path)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y_BHWC = self.scale * self.at_place(self.around(x_BCHW).permute(0, 2, 3, 1))
        return x_BCHW + self.drop_path(y_BHWC.permute(0, 3, 1, 2))


class ConvNeXt(nn.Module):
    """Stages of blocks, each after the first with half the size and twice the channels; then a mean over H W.

    Inputs (B, C, H, W), outputs (B, num_outputs). The stem divides the picture into patches of 4x4 pixels (`imagenet`)
    or 2x2 (`cifar`, for small pictures). `layer_scale` is the initial scale of the paths.
    """

    def __init__(
        self,
        input_shape: list[int],
        num_outputs: Annotated[int, Ge(1)],
        depths: Annotated[list[Annotated[int, Ge(1)]], MinLen(1)],
        width: Annotated[int, Ge(1)],
        form: Literal["imagenet", "cifar"],
        layer_scale: Annotated[float, Ge(0)],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
        drop_path: Annotated[float, Interval(ge=0, lt=1)],
    ) -> None:
        super().__init__()
        patch = 4 if form == "imagenet" else 2
        less = f"use {'model.form=cifar or ' if form == 'imagenet' else ''}fewer model.depths"
        picture("convnext", input_shape, patch * 2 ** (len(depths) - 1), less)
        drops = iter(rates(drop_path, sum(depths)))
        channels = width
        layers: list[nn.Module] = [nn.Conv2d(input_shape[0], width, patch, patch), ChannelNorm(width, eps=EPS)]
        for stage, depth in enumerate(depths):
            if stage > 0:
                layers += [ChannelNorm(channels, eps=EPS), nn.Conv2d(channels, 2 * channels, 2, 2)]
                channels *= 2
            layers += [Block(channels, layer_scale, next(drops)) for _ in range(depth)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.LayerNorm(channels, eps=EPS),
            nn.Dropout(dropout),
            nn.Linear(channels, num_outputs),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                # preserves the variance; the paper's 0.02 is smaller, and small nets learn slowly from it
                nn.init.trunc_normal_(module.weight, std=module.weight[0].numel() ** -0.5)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.head(self.layers(x_BCHW))
