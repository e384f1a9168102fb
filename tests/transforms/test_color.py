"""Brightness, contrast, saturation and hue."""

import math

import torch
from torch import Tensor

from nncli.transforms.color import YIQ, ColorJitter, recolored


def photos(count: int = 200, channels: int = 3) -> Tensor:
    return 80 + 60 * torch.rand(count, channels, 8, 8, generator=torch.Generator().manual_seed(0))


def one(value: float, count: int = 200) -> Tensor:
    return torch.full((count,), value)


def test_brightness_multiplies_the_mean_and_its_draws_fill_the_range() -> None:
    torch.manual_seed(0)
    x = photos()
    by = ColorJitter(0.5, 0.0, 0.0, 0.0, 255)(x).mean((1, 2, 3)) / x.mean((1, 2, 3))
    assert 0.49 < by.min() < 0.55
    assert 1.45 < by.max() < 1.51


def test_contrast_keeps_the_mean_and_multiplies_the_spread() -> None:
    for channels in (1, 3):
        x = photos(channels=channels)
        y = recolored(x, one(1), one(2), one(1), one(0))
        assert torch.allclose(y.std((1, 2, 3)), 2 * x.std((1, 2, 3)), rtol=0.01)
        grey = YIQ[0] if channels == 3 else torch.ones(1)
        assert torch.allclose(y.mean((2, 3)) @ grey, x.mean((2, 3)) @ grey, rtol=1e-3)


def test_no_saturation_leaves_the_light_alone() -> None:
    x = photos()
    grey = recolored(x, one(1), one(1), one(0), one(0))
    light = torch.einsum("bchw,c->bhw", x, YIQ[0])
    assert torch.allclose(grey, light[:, None].expand_as(grey), atol=0.1)


def test_a_third_of_the_wheel_makes_red_another_colour_and_a_whole_turn_none() -> None:
    x = torch.tensor([200.0, 20.0, 20.0]).view(1, 3, 1, 1)
    turned = recolored(x, one(1, 1), one(1, 1), one(1, 1), one(2 * math.pi / 3, 1)).flatten()
    assert int(turned.argmax()) != 0
    assert torch.allclose(recolored(x, one(1, 1), one(1, 1), one(1, 1), one(2 * math.pi, 1)), x, atol=0.1)
    grey = torch.full((1, 3, 2, 2), 90.0)
    assert torch.allclose(recolored(grey, one(1, 1), one(1, 1), one(1, 1), one(2.0, 1)), grey, atol=0.1)


def test_what_comes_out_is_between_black_and_white() -> None:
    y = ColorJitter(2.0, 2.0, 2.0, 0.5, 150)(photos())
    assert y.min() == 0
    assert y.max() == 150


def test_nothing_to_do_does_nothing() -> None:
    for channels in (1, 2, 3):
        x = photos(channels=channels)
        assert torch.allclose(ColorJitter(0, 0, 0, 0, 255)(x), x, atol=1e-3)
