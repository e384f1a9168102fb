"""Gaussian blur."""

import pytest
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from nncli.transforms.blur import Blur


def test_a_point_becomes_a_bell_of_the_asked_width_and_nothing_gets_lost() -> None:
    x = torch.zeros(1, 1, 41, 61)
    x[..., 20, 30] = 1
    y = Blur([2.0, 2.0], 1.0)(x)[0, 0]
    assert y.sum().item() == pytest.approx(1, abs=1e-5)
    for side, middle in ((0, 20), (1, 30)):
        weight = y.sum(1 - side)
        place = torch.arange(len(weight)) - middle
        assert (weight @ place.float().square()).sqrt().item() == pytest.approx(2, rel=0.01)


def test_it_is_pillows_blur() -> None:
    picture = Image.effect_noise((64, 48), 60)
    wanted = torch.frombuffer(bytearray(picture.filter(ImageFilter.GaussianBlur(1.5)).tobytes()), dtype=torch.uint8)
    x = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).float().view(1, 1, 48, 64)
    y = Blur([1.5, 1.5], 1.0)(x)[0, 0, 6:-6, 6:-6]
    assert (y - wanted.float().view(48, 64)[6:-6, 6:-6]).abs().mean() < 1, "Pillow's is three box filters in bytes"


def roughness(x: Tensor) -> Tensor:
    return x.diff(dim=3).square().mean((1, 2, 3))


def test_each_image_gets_a_width_of_its_own_and_the_others_stay() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 3, 16, 16).repeat(1000, 1, 1, 1)
    y = Blur([0.3, 2.0], 0.4)(x)
    stayed = (y == x).all((1, 2, 3))
    assert 0.55 < stayed.float().mean() < 0.65
    left = roughness(y[~stayed]) / roughness(x[:1])
    assert left.min() < 0.02
    assert left.max() > 0.9
    with pytest.raises(ValueError, match=r"such as \[0.1, 2\], not \[2, 1\]"):
        Blur([2, 1], 1.0)
