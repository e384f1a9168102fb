"""AlexNet (Krizhevsky, Sutskever & Hinton 2012), in the one-column form of Krizhevsky 2014, "One weird trick …".

B batch, C channels, H W size. Without the local response normalization, which did not help: 61,100,840 parameters for
1000 classes.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Interval
from torch import Tensor, nn

from nncli.models.mlp import ACTIVATIONS
from nncli.models.picture import picture

WIDTHS = (1, 3, 6, 4, 4)  # channels of the five convolutions, as multiples of the first
POOLED = (True, True, False, False, True)


class AlexNet(nn.Module):
    """Five convolutions with overlapping pooling, three dense layers; inputs (B, C, H, W), outputs (B, num_outputs).

    `imagenet` starts with an 11x11 convolution of stride 4; `cifar` with one 3x3, for small images. The features of
    large pictures are averaged to 6x6. Dropout comes before both hidden dense layers; the paper uses 0.5.
    """

    def __init__(
        self,
        input_shape: list[int],
        num_outputs: Annotated[int, Ge(1)],
        form: Literal["imagenet", "cifar"],
        width: Annotated[int, Ge(1)],
        hidden: Annotated[int, Ge(1)],
        activation: Literal["relu", "tanh", "gelu", "sigmoid", "silu", "elu", "leaky_relu"],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
    ) -> None:
        super().__init__()
        big = form == "imagenet"
        if big:
            size = [(side - 7) // 4 + 1 for side in picture("alexnet", input_shape, 63, "model.form=cifar takes 15x15")]
        else:
            size = picture("alexnet", input_shape, 15)
        act = ACTIVATIONS[activation]
        layers: list[nn.Module] = []
        channels = input_shape[0]
        convs = ((11, 4, 2) if big else (3, 1, 1), (5, 1, 2), *[(3, 1, 1)] * 3)  # size, stride, padding
        for wide, conv, pooled in zip(WIDTHS, convs, POOLED, strict=True):
            layers += [nn.Conv2d(channels, width * wide, *conv), act()]
            channels = width * wide
            if pooled:
                layers.append(nn.MaxPool2d(3, 2))
                size = [(side - 3) // 2 + 1 for side in size]
        left, size = size, [min(6, side) for side in size]
        # its backward pass is not deterministic on GPUs, so it is used only where it has an effect
        pool = nn.AdaptiveAvgPool2d((size[0], size[1])) if left != size else nn.Identity()
        self.features = nn.Sequential(*layers, pool)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(channels * size[0] * size[1], hidden),
            act(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            act(),
            nn.Linear(hidden, num_outputs),
        )
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
