"""Weight initialization, in place of that by the net's own class."""

from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn
from torch.nn import init
from torch.nn.modules.conv import _ConvNd

LAYERS = (nn.Linear, nn.Bilinear, _ConvNd, nn.RNNBase, nn.MultiheadAttention)


class Init(nn.Module):
    """Called with a net: initializes the matrices and filters of its layers, and sets their biases to `bias`.

    Norms, embeddings and the net's own parameters are not changed, nor are biases where `bias` is null.
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
    """The matrices as initialized by the net's own class."""

    def __init__(self, bias: float | None) -> None:
        super().__init__(bias)

    def draw(self, weight: Tensor) -> None:
        pass


class Zeros(Init):
    """All zeros: every unit of a layer gets the same gradient, or none, so a net with hidden layers learns nothing."""

    def __init__(self, bias: float | None) -> None:
        super().__init__(bias)

    def draw(self, weight: Tensor) -> None:
        init.zeros_(weight)


class Normal(Init):
    """Normally distributed, with the same deviation whatever the size of the layer."""

    def __init__(self, std: Annotated[float, Gt(0)], bias: float | None) -> None:
        super().__init__(bias)
        self.std = std

    def draw(self, weight: Tensor) -> None:
        init.normal_(weight, std=self.std)


class Uniform(Init):
    """Uniformly distributed between `-limit` and `limit`, whatever the size of the layer."""

    def __init__(self, limit: Annotated[float, Gt(0)], bias: float | None) -> None:
        super().__init__(bias)
        self.limit = limit

    def draw(self, weight: Tensor) -> None:
        init.uniform_(weight, -self.limit, self.limit)


class XavierUniform(Init):
    """Uniformly distributed, with variance 2 / (inputs + outputs) (Glorot & Bengio 2010)."""

    def __init__(self, gain: Annotated[float, Gt(0)], bias: float | None) -> None:
        super().__init__(bias)
        self.gain = gain

    def draw(self, weight: Tensor) -> None:
        init.xavier_uniform_(weight, self.gain)


class XavierNormal(Init):
    """Normally distributed, with variance 2 / (inputs + outputs) (Glorot & Bengio 2010)."""

    def __init__(self, gain: Annotated[float, Gt(0)], bias: float | None) -> None:
        super().__init__(bias)
        self.gain = gain

    def draw(self, weight: Tensor) -> None:
        init.xavier_normal_(weight, self.gain)


class HeUniform(Init):
    """Uniformly distributed, with variance 2 / inputs (He et al. 2015); `slope` is that of a leaky ReLU below zero."""

    def __init__(self, slope: float, bias: float | None) -> None:
        super().__init__(bias)
        self.slope = slope

    def draw(self, weight: Tensor) -> None:
        init.kaiming_uniform_(weight, self.slope)


class HeNormal(Init):
    """Normally distributed, with variance 2 / inputs (He et al. 2015); `slope` is that of a leaky ReLU below zero."""

    def __init__(self, slope: float, bias: float | None) -> None:
        super().__init__(bias)
        self.slope = slope

    def draw(self, weight: Tensor) -> None:
        init.kaiming_normal_(weight, self.slope)


class Orthogonal(Init):
    """Orthonormal rows or columns (Saxe et al. 2014), so that a linear net preserves norms."""

    def __init__(self, gain: Annotated[float, Gt(0)], bias: float | None) -> None:
        super().__init__(bias)
        self.gain = gain

    def draw(self, weight: Tensor) -> None:
        init.orthogonal_(weight, self.gain)
