"""The net of the CIFAR-10 speed record (Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU").

B batch, C channels, H W size. Implemented from the paper (arXiv:2404.00498): a fixed first layer that whitens patches,
convolutions initialized as the identity, normalization without a scale, small outputs, and predictions averaged with
those of the mirrored picture. Training is half of the method: see recipe=cifar10_airbench.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge, Gt, MinLen
from torch import Tensor, nn
from torch.nn import functional

from nncli.models.picture import picture

PATCH = 2  # height and width of a whitened patch
FITTED = 512  # pictures of each piece from which the whitening is computed
FLOOR = 5e-4  # added to the variances, so that directions of low variance are not amplified
MOMENTUM = 0.4  # of batch normalization, large because training takes few steps


class Whitening(nn.Module):
    """2x2 patches as uncorrelated values of unit variance, and their negatives (section 3.2); only the bias is trained.

    The bias is trained to the end, in the record for three epochs only. Until `fit_inputs` is called, the patches are
    not whitened.
    """

    weight: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels, size = channels, channels * PATCH**2
        self.register_buffer("weight", torch.empty(2 * size, channels, PATCH, PATCH))
        self.bias = nn.Parameter(torch.zeros(2 * size))
        self._set(torch.eye(size))

    def _set(self, rows: Tensor) -> None:
        self.weight.copy_(torch.cat([rows, -rows]).view_as(self.weight))

    @torch.no_grad()
    def fit_inputs(self, inputs: Callable[[], Iterable[Tensor]]) -> None:
        size = self.channels * PATCH**2
        count, products = 0, torch.zeros(size, size, dtype=torch.float64)
        for piece in inputs():
            some = piece[:: max(1, len(piece) // FITTED)].float()
            rows = functional.unfold(some, PATCH).transpose(1, 2).reshape(-1, size)
            count, products = count + len(rows), products + (rows.T @ rows).double().cpu()
        variances, directions = torch.linalg.eigh(products / max(1, count))
        self._set((directions / (variances.clamp(min=0) + FLOOR).sqrt()).T)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return functional.conv2d(x_BCHW, self.weight, self.bias)


def _conv(inner: int, outer: int) -> nn.Conv2d:
    """A 3x3 convolution initialized as the identity for as many inputs as it has outputs."""
    conv = nn.Conv2d(inner, outer, 3, padding=1, bias=False)
    nn.init.dirac_(conv.weight.data[:inner])
    return conv


def _norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, eps=1e-12, momentum=MOMENTUM)
    norm.weight.requires_grad_(False)
    return norm


class Airbench(nn.Module):
    """A whitening layer, a block of two 3x3 convolutions per width, a global maximum per channel, a linear layer.

    Inputs (B, C, H, W), outputs (B, num_outputs). With `flip_test`, the output outside training is the mean over the
    picture and its mirror image, which takes twice the time; not for letters and digits.
    """

    def __init__(
        self,
        input_shape: list[int],
        num_outputs: Annotated[int, Ge(1)],
        widths: Annotated[list[Annotated[int, Ge(1)]], MinLen(1)],
        scale: Annotated[float, Gt(0)],
        flip_test: bool,
    ) -> None:
        super().__init__()
        picture("airbench", input_shape, 2 ** len(widths) + 1, "use fewer model.widths")
        self.scale, self.flip_test = scale, flip_test
        self.whitening = Whitening(input_shape[0])
        layers: list[nn.Module] = [nn.GELU()]
        for inner, outer in pairwise([2 * input_shape[0] * PATCH**2, *widths]):
            layers += [_conv(inner, outer), nn.MaxPool2d(2), _norm(outer), nn.GELU()]
            layers += [_conv(outer, outer), _norm(outer), nn.GELU()]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], num_outputs, bias=False)

    def fit_inputs(self, inputs: Callable[[], Iterable[Tensor]]) -> None:
        """Compute the whitening from the standardized training part, in pieces (N, C, H, W)."""
        self.whitening.fit_inputs(inputs)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        if self.training or not self.flip_test:
            return self._scores(x_BCHW)
        return (self._scores(x_BCHW) + self._scores(x_BCHW.flip(3))) / 2

    def _scores(self, x_BCHW: Tensor) -> Tensor:
        largest_BC = self.layers(self.whitening(x_BCHW)).amax((2, 3))  # a pooling layer is not deterministic on GPUs
        return self.scale * self.head(largest_BC)
