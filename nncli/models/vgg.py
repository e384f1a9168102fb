"""VGG (Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition").

B batch, C channels, H W size. Convolutions before a normalization keep their bias, as in the published counts.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Interval
from torch import Tensor, nn

from nncli.models.mlp import ACTIVATIONS
from nncli.models.picture import picture

BLOCKS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # table 1: A, B, D, E
WIDTHS = (1, 2, 4, 8, 8)  # channels of a block, as multiples of the first


class VGG(nn.Module):
    """Five blocks of 3x3 convolutions and 2x2 pooling, dense layers; inputs (B, C, H, W), outputs (B, num_outputs).

    `imagenet` ends with three dense layers over 7x7 positions (larger feature maps are averaged, smaller ones used as
    they are); `cifar` with one over the mean. Pooling rounds up, so that pictures of any size are accepted.
    """

    def __init__(
        self,
        input_shape: list[int],
        num_outputs: Annotated[int, Ge(1)],
        depth: Literal[11, 13, 16, 19],
        form: Literal["imagenet", "cifar"],
        width: Annotated[int, Ge(1)],
        hidden: Annotated[int, Ge(1)],
        norm: Literal["batch", "none"],
        activation: Literal["relu", "tanh", "gelu", "sigmoid", "silu", "elu", "leaky_relu"],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
    ) -> None:
        super().__init__()
        size = picture("vgg", input_shape)
        act = ACTIVATIONS[activation]
        layers: list[nn.Module] = []
        channels = input_shape[0]
        for wide, count in zip(WIDTHS, BLOCKS[depth], strict=True):
            for _ in range(count):
                layers.append(nn.Conv2d(channels, width * wide, 3, padding=1))
                layers += [nn.BatchNorm2d(width * wide)] if norm == "batch" else []
                layers.append(act())
                channels = width * wide
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.features = nn.Sequential(*layers)
        if form == "imagenet":
            left = [-(-side // 32) for side in size]
            places = [min(7, side) for side in left]
            # its backward pass is not deterministic on GPUs, so it is used only where it has an effect
            pool = nn.AdaptiveAvgPool2d((places[0], places[1])) if places != left else nn.Identity()
            self.head = nn.Sequential(
                pool,
                nn.Flatten(),
                nn.Linear(channels * places[0] * places[1], hidden),
                act(),
                nn.Dropout(dropout),
                nn.Linear(hidden, hidden),
                act(),
                nn.Dropout(dropout),
                nn.Linear(hidden, num_outputs),
            )
        else:
            self.head = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, num_outputs)
            )
        self._start()

    def _start(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=0.01)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.head(self.features(x_BCHW))
