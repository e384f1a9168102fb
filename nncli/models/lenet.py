"""LeNet-5 (LeCun, Bottou, Bengio & Haffner 1998, "Gradient-Based Learning Applied to Document Recognition").

B batch, C channels, H W size. As in today's implementations every map of C3 sees all of S2, pooling has no weights, and
the last layer is linear: 61,706 parameters for 32x32 grey pictures and ten classes.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Interval
from torch import Tensor, nn

from nncli.models.mlp import ACTIVATIONS
from nncli.models.picture import picture


class LeNet5(nn.Module):
    """Two 5x5 convolutions with 2x2 pooling, three dense layers; inputs (B, C, H, W), outputs (B, num_outputs).

    Pictures smaller than 32x32 are padded with zeros to that size, as MNIST's in the paper; the first dense layer grows
    with larger ones. `width` is the number of maps of C1, 6 in the paper; the other layers are scaled with it.
    """

    def __init__(
        self,
        input_shape: list[int],
        num_outputs: Annotated[int, Ge(1)],
        width: Annotated[int, Ge(1)],
        activation: Literal["relu", "tanh", "gelu", "sigmoid", "silu", "elu", "leaky_relu"],
        pool: Literal["average", "max"],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
    ) -> None:
        super().__init__()
        size = picture("lenet5", input_shape)
        frame = [max(0, 33 - side) // 2 for side in size]  # on both sides: 2 for MNIST's 28
        height, width_ = (((side + 2 * extra - 4) // 2 - 4) // 2 for side, extra in zip(size, frame, strict=True))
        second, third, fourth = (max(1, round(width * maps / 6)) for maps in (16, 120, 84))
        act = ACTIVATIONS[activation]

        def squash() -> list[
            nn.Module
        ]:  # after max-pooling: the same for a monotonic function, on a quarter of the values
            return [act(), nn.AvgPool2d(2)] if pool == "average" else [nn.MaxPool2d(2), act()]

        self.features = nn.Sequential(
            nn.Conv2d(input_shape[0], width, 5, padding=(frame[0], frame[1])),
            *squash(),
            nn.Conv2d(width, second, 5),
            *squash(),
        )
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(second * height * width_, third),
            act(),
            nn.Linear(third, fourth),
            act(),
            nn.Dropout(dropout),
            nn.Linear(fourth, num_outputs),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight, gain=1.0 if activation in ("tanh", "sigmoid") else 2**0.5)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.head(self.features(x_BCHW))
