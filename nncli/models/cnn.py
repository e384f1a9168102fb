"""The plain convolutional net: blocks of convolution and pooling, then a dense layer (after LeCun et al. 1998).

B batch, C channels, H W size.
"""

from collections.abc import Callable
from itertools import pairwise
from math import gcd
from typing import Annotated, Literal

from annotated_types import Ge, Interval, MinLen
from torch import Tensor, nn

from nncli.errors import NnError

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "group": lambda channels: nn.GroupNorm(gcd(8, channels), channels),
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
}


class CNN(nn.Module):
    """One block per number in `channels`: 3x3 convolution, optional normalization, ReLU, 2x2 max-pooling.

    Inputs (B, C, H, W), outputs (B, num_outputs). The `head` flatten keeps positions, and grows with the pictures; mean
    does neither, and suits pictures larger than about 64 pixels.
    """

    def __init__(
        self,
        input_shape: list[int],
        num_outputs: Annotated[int, Ge(1)],
        channels: Annotated[list[Annotated[int, Ge(1)]], MinLen(1)],
        hidden: Annotated[int, Ge(0)],
        norm: Literal["batch", "layer", "group", "instance", "none"],
        padding: Literal["same", "valid"],
        head: Literal["flatten", "mean"],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
    ) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for inner, outer in pairwise([input_shape[0], *channels]):
            blocks.append(nn.Conv2d(inner, outer, 3, padding=padding, bias=norm == "none"))
            blocks += [NORMS[norm](outer)] if norm != "none" else []
            blocks += [nn.MaxPool2d(2), nn.ReLU()]  # the same as ReLU before pooling, on a quarter of the values
        self.blocks = nn.Sequential(*blocks)
        size = self._size(input_shape, len(channels), padding)
        features = channels[-1] * (size[0] * size[1] if head == "flatten" else 1)
        dense: list[nn.Module] = [nn.Linear(features, hidden), nn.ReLU()] if hidden else []
        self.head = nn.Sequential(
            nn.Flatten() if head == "flatten" else nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            *dense,
            nn.Dropout(dropout),
            nn.Linear(hidden or features, num_outputs),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.head(self.blocks(x_BCHW))

    @staticmethod
    def _size(input_shape: list[int], depth: int, padding: str) -> list[int]:
        size = list(input_shape[1:])
        for _ in range(depth):
            size = [(n if padding == "same" else n - 2) // 2 for n in size]
        if len(size) != 2 or min(size) < 1:
            raise NnError(
                f"model=cnn halves the picture in each of its {depth} blocks, too often for {input_shape}; "
                "use fewer model.channels"
            )
        return size
