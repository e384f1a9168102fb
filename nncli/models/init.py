"""First weights: what a net's layers start from, in place of what the net's own class has drawn."""

from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn
from torch.nn import init
from torch.nn.modules.conv import _ConvNd

LAYERS = (nn.Linear, nn.Bilinear, _ConvNd, nn.RNNBase, nn.MultiheadAttention)


class Init(nn.Module):
    """Called with a net: draws the matrices and filters of its layers anew, and sets their biases to `bias`.

    Norms, embeddings and weights that a net holds itself stay as they are; so do biases where `bias` is null.
    """

    def __init__(self, bias: float | None) -> None:
        super().__init__()
        self.bias = bias

    def draw(self, weight: Tensor) -> None:
        """Fill a weight (outputs, inputs, …) in place."""
        raise NotImplementedError

    def forward(self, net: nn.Module) -> nn.Module:
        for layer in (m for m in net.modules() if isinstance(m, LAYERS)):
            for name, weight in layer.named_parameters(recurse=False):
                if weight.ndim > 1:
                    self.draw(weight)
                elif "bias" in name and self.bias is not None:
                    init.constant_(weight, self.bias)
        return net


class Default(Init):
    """The matrices as the net's own class has drawn them."""

    def __init__(self, bias: float | None) -> None:
        super().__init__(bias)

    def draw(self, weight: Tensor) -> None:
        pass


class Zeros(Init):
    """All zero: every unit of a layer gets the same gradient, or none, so a net with hidden layers learns nothing."""

    def __init__(self, bias: float | None) -> None:
        super().__init__(bias)

    def draw(self, weight: Tensor) -> None:
        init.zeros_(weight)


class Normal(Init):
    """Normally distributed, of one width whatever the layer's size."""

    def __init__(self, std: Annotated[float, Gt(0)], bias: float | None) -> None:
        super().__init__(bias)
        self.std = std

    def draw(self, weight: Tensor) -> None:
        init.normal_(weight, std=self.std)


class Uniform(Init):
    """Evenly distributed between `-limit` and `limit`, whatever the layer's size."""

    def __init__(self, limit: Annotated[float, Gt(0)], bias: float | None) -> None:
        super().__init__(bias)
        self.limit = limit

    def draw(self, weight: Tensor) -> None:
        init.uniform_(weight, -self.limit, self.limit)


class XavierUniform(Init):
    """Evenly distributed, of variance 2 / (inputs + outputs) (Glorot & Bengio 2010)."""

    def __init__(self, gain: Annotated[float, Gt(0)], bias: float | None) -> None:
        super().__init__(bias)
        self.gain = gain

    def draw(self, weight: Tensor) -> None:
        init.xavier_uniform_(weight, self.gain)


class XavierNormal(Init):
    """Normally distributed, of variance 2 / (inputs + outputs) (Glorot & Bengio 2010)."""

    def __init__(self, gain: Annotated[float, Gt(0)], bias: float | None) -> None:
        super().__init__(bias)
        self.gain = gain

    def draw(self, weight: Tensor) -> None:
        init.xavier_normal_(weight, self.gain)


class HeUniform(Init):
    """Evenly distributed, of variance 2 / inputs (He et al. 2015); `slope` is a leaky ReLU's below zero."""

    def __init__(self, slope: float, bias: float | None) -> None:
        super().__init__(bias)
        self.slope = slope

    def draw(self, weight: Tensor) -> None:
        init.kaiming_uniform_(weight, self.slope)


class HeNormal(Init):
    """Normally distributed, of variance 2 / inputs (He et al. 2015); `slope` is a leaky ReLU's below zero."""

    def __init__(self, slope: float, bias: float | None) -> None:
        super().__init__(bias)
        self.slope = slope

    def draw(self, weight: Tensor) -> None:
        init.kaiming_normal_(weight, self.slope)


class Orthogonal(Init):
    """Rows or columns at right angles (Saxe et al. 2014): lengths pass through a linear net unchanged."""

    def __init__(self, gain: Annotated[float, Gt(0)], bias: float | None) -> None:
        super().__init__(bias)
        self.gain = gain

    def draw(self, weight: Tensor) -> None:
        init.orthogonal_(weight, self.gain)
