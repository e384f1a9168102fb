"""EfficientNet (Tan & Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks").

B batch, C channels, H W size. Stochastic depth as in the authors' code; sizes and counts are those of table 1.
"""

from math import ceil, sqrt
from typing import Annotated, Literal, NamedTuple

from annotated_types import Ge, Gt, Interval
from torch import Tensor, nn

from nncli.models.drop_path import DropPath, rates
from nncli.models.picture import picture


class Stage(NamedTuple):
    """A row of table 1: expansion inside a block, kernel size, stride of the first block, channels, blocks."""

    widen: int
    kernel: int
    stride: int
    channels: int
    blocks: int


STEM, STAGES = (
    32,
    (
        Stage(1, 3, 1, 16, 1),
        Stage(6, 3, 2, 24, 2),
        Stage(6, 5, 2, 40, 2),
        Stage(6, 3, 2, 80, 3),
        Stage(6, 5, 1, 112, 3),
        Stage(6, 5, 2, 192, 4),
        Stage(6, 3, 1, 320, 1),
    ),
)
SIZES = {  # factors of channels and of blocks
    "b0": (1.0, 1.0),
    "b1": (1.0, 1.1),
    "b2": (1.1, 1.2),
    "b3": (1.2, 1.4),
    "b4": (1.4, 1.8),
    "b5": (1.6, 2.2),
    "b6": (1.8, 2.6),
    "b7": (2.0, 3.1),
}


def _round(channels: float) -> int:
    """The nearest multiple of 8, but not less than 90% of the value."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


def _conv(inner: int, outer: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution, padded so that only the stride reduces H and W, and its normalization."""
    conv = nn.Conv2d(inner, outer, size, stride, padding=size // 2, groups=groups, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out")
    return nn.Sequential(conv, nn.BatchNorm2d(outer))


class SqueezeExcite(nn.Module):
    """Scale each channel by a factor in 0..1 that is computed from the means of all channels (Hu et al. 2018)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        down, up = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        for conv in (down, up):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out")
            assert conv.bias is not None
            nn.init.zeros_(conv.bias)
        self.scale = nn.Sequential(nn.AdaptiveAvgPool2d(1), down, nn.SiLU(), up, nn.Sigmoid())

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW * self.scale(x_BCHW)


class MBConv(nn.Module):
    """Expansion, depthwise convolution, squeeze-and-excitation, projection; added to the input if the shapes match."""

    def __init__(self, inner: int, outer: int, widen: int, kernel: int, stride: int, drop_path: float) -> None:
        super().__init__()
        wide = inner * widen
        self.path = nn.Sequential(
            *([_conv(inner, wide, 1), nn.SiLU()] if widen > 1 else []),
            _conv(wide, wide, kernel, stride, groups=wide),
            nn.SiLU(),
            SqueezeExcite(wide, max(1, inner // 4)),
            _conv(wide, outer, 1),
        )
        self.residual = inner == outer and stride == 1
        self.drop_path = DropPath(drop_path)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW + self.drop_path(self.path(x_BCHW)) if self.residual else self.path(x_BCHW)


class EfficientNet(nn.Module):
    """Seven stages of MBConv blocks, a mean over H W, a linear layer; inputs (B, C, H, W), outputs (B, num_outputs).

    `imagenet` halves the picture five times; `cifar` three times, with no stride in the stem and the second stage.
    `width` is another factor on the channels of any size, for nets smaller than b0.
    """

    def __init__(
        self,
        input_shape: list[int],
        num_outputs: Annotated[int, Ge(1)],
        size: Literal["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"],
        form: Literal["imagenet", "cifar"],
        width: Annotated[float, Gt(0)],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
        drop_path: Annotated[float, Interval(ge=0, lt=1)],
    ) -> None:
        super().__init__()
        least, instead = (32, "model.form=cifar takes 8x8 or more") if form == "imagenet" else (8, "set model=mlp")
        picture("efficientnet", input_shape, least, instead)  # halved five or three times
        wider, deeper = width * SIZES[size][0], SIZES[size][1]
        channels = _round(STEM * wider)
        self.stem = nn.Sequential(_conv(input_shape[0], channels, 3, 2 if form == "imagenet" else 1), nn.SiLU())
        counts = [ceil(stage.blocks * deeper) for stage in STAGES]
        # from 0 for the first block to drop_path after the last, as in the authors' code
        drops = iter(rates(drop_path, sum(counts) + 1))
        blocks: list[nn.Module] = []
        for number, (stage, count) in enumerate(zip(STAGES, counts, strict=True)):
            first = 1 if form == "cifar" and number == 1 else stage.stride
            outer = _round(stage.channels * wider)
            for place in range(count):
                stride = first if place == 0 else 1
                blocks.append(MBConv(channels, outer, stage.widen, stage.kernel, stride, next(drops)))
                channels = outer
        self.blocks = nn.Sequential(*blocks)
        last = nn.Linear(4 * channels, num_outputs)
        nn.init.uniform_(last.weight, -1 / sqrt(num_outputs), 1 / sqrt(num_outputs))
        nn.init.zeros_(last.bias)
        self.head = nn.Sequential(
            _conv(channels, 4 * channels, 1),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(dropout),
            last,
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x_BCHW)))
