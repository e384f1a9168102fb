"""Residual nets (He et al. 2015, "Deep Residual Learning for Image Recognition").

B batch, C channels, H W size. The stride of a bottleneck is in its 3x3 convolution, as in today's implementations.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Interval
from torch import Tensor, nn

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}  # table 1


def _conv(inner: int, outer: int, size: int, stride: int) -> nn.Sequential:
    """A convolution, padded so that only the stride reduces H and W, and its normalization."""
    conv = nn.Conv2d(inner, outer, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(outer))


class Residual(nn.Module):
    """`relu(path(x) + x)`, with a 1x1 convolution on the shortcut where the shapes differ."""

    def __init__(self, inner: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        outer = 4 * width if bottleneck else width
        if bottleneck:
            first, middle, last = (1, 1), (3, stride), (1, 1)
            self.path = nn.Sequential(
                _conv(inner, width, *first),
                nn.ReLU(),
                _conv(width, width, *middle),
                nn.ReLU(),
                _conv(width, outer, *last),
            )
        else:
            self.path = nn.Sequential(_conv(inner, width, 3, stride), nn.ReLU(), _conv(width, outer, 3, 1))
        same = inner == outer and stride == 1
        self.short = nn.Identity() if same else _conv(inner, outer, 1, stride)
        self.relu = nn.ReLU()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.relu(self.path(x_BCHW) + self.short(x_BCHW))


class ResNet(nn.Module):
    """Four stages of residual blocks, a mean over H W, a linear layer; inputs (B, C, H, W), outputs (B, num_outputs).

    `imagenet` starts with a 7x7 convolution of stride 2 and max-pooling; `cifar` with one 3x3 convolution, for small
    images. `zero_init` starts every block as the identity (Goyal et al. 2017, section 5.1).
    """

    def __init__(
        self,
        input_shape: list[int],
        num_outputs: Annotated[int, Ge(1)],
        depth: Literal[18, 34, 50, 101, 152],
        form: Literal["imagenet", "cifar"],
        width: Annotated[int, Ge(1)],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
        zero_init: bool,
    ) -> None:
        super().__init__()
        if form == "imagenet":
            self.stem = nn.Sequential(_conv(input_shape[0], width, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1))
        else:
            self.stem = nn.Sequential(_conv(input_shape[0], width, 3, 1), nn.ReLU())
        channels = width
        blocks: list[nn.Module] = []
        for stage, count in enumerate(BLOCKS[depth]):
            for place in range(count):
                stride = 2 if stage > 0 and place == 0 else 1
                blocks.append(Residual(channels, width * 2**stage, stride, bottleneck=depth >= 50))
                channels = width * 2**stage * (4 if depth >= 50 else 1)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, num_outputs)
        )
        if zero_init:
            self._start_as_identity()

    def _start_as_identity(self) -> None:
        for block in self.blocks:
            if isinstance(block, Residual):
                last = list(block.path.modules())[-1]
                assert isinstance(last, nn.BatchNorm2d)
                nn.init.zeros_(last.weight)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x_BCHW)))
