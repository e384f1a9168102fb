"""The fourteen changes of RandAugment and TrivialAugment, held against Pillow's."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from nncli.transforms.photo import Reach, photo_changed
from nncli.transforms.randaugment import RandAugment
from nncli.transforms.trivialaugment import TrivialAugment

REACH = Reach(shear=0.3, shift=0.5, degrees=90, factor=0.5, bits=4)
NAMES = "same shear_x shear_y shift_x shift_y turn brightness contrast saturation sharpness bits solarize stretch equal"
PLACE = {name: place for place, name in enumerate(NAMES.split())}


def photos(count: int = 6) -> Tensor:
    """Smooth random pictures that use part of the greys, and one of a single colour."""
    draw = torch.Generator().manual_seed(0)
    x = torch.nn.functional.interpolate(torch.rand(count, 3, 5, 5, generator=draw), size=(24, 24), mode="bicubic")
    x = (40 + 150 * x).clamp(0, 255).round()
    x[-1] = 77
    return x


def pillow(x: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    pictures = [Image.fromarray(one.permute(1, 2, 0).byte().numpy()) for one in x]
    return torch.stack([torch.from_numpy(np.array(change(p))).permute(2, 0, 1).float() for p in pictures])


def changed(x: Tensor, name: str, strength: float, white: float = 255) -> Tensor:
    which = torch.full((len(x),), PLACE[name])
    return photo_changed(x, which, torch.full((len(x),), strength), REACH, 128, white)


@pytest.mark.parametrize(
    ("name", "strength", "change", "apart"),
    [
        ("same", 1.0, lambda p: p, 0),
        ("turn", 1.0, lambda p: p.transpose(Image.Transpose.ROTATE_90), 0.1),
        ("brightness", 1.0, lambda p: ImageEnhance.Brightness(p).enhance(1.5), 1),
        ("contrast", -1.0, lambda p: ImageEnhance.Contrast(p).enhance(0.5), 1.5),
        ("saturation", -1.0, lambda p: ImageEnhance.Color(p).enhance(0.5), 1.5),
        ("sharpness", 1.0, lambda p: ImageEnhance.Sharpness(p).enhance(1.5), 1.5),
        ("bits", 0.5, lambda p: ImageOps.posterize(p, 6), 0),
        ("solarize", 0.5, lambda p: ImageOps.solarize(p, 128), 0),
        ("stretch", 0.0, ImageOps.autocontrast, 1.1),
        ("equal", 0.0, ImageOps.equalize, 0),
    ],
)
def test_a_change_is_pillows(name: str, strength: float, change: Callable[..., Image.Image], apart: float) -> None:
    x = photos()
    seen, wanted = changed(x, name, strength), pillow(x, change)
    assert (seen - wanted).abs().max() <= apart + 1e-2


def test_shifts_and_shears_fill_with_grey() -> None:
    x = photos()
    right = changed(x, "shift_x", 0.5)  # half of half of 24
    assert torch.allclose(right[..., 6:], x[..., :-6], atol=0.1)
    assert torch.allclose(right[..., :6], torch.full((6, 3, 24, 6), 128.0))
    assert torch.allclose(changed(x, "shift_y", -0.5)[:, :, :-6], x[:, :, 6:], atol=0.1)
    for name in ("shear_x", "shear_y"):
        assert ((changed(x, name, 1.0) - x).abs().mean((1, 2, 3)) > 1).all()


@pytest.mark.parametrize("name", PLACE)
def test_a_change_knows_what_white_is(name: str) -> None:
    x = photos()
    small = photo_changed(x / 255, torch.full((6,), PLACE[name]), torch.full((6,), 0.7), REACH, 128 / 255, 1.0)
    assert torch.allclose(small * 255, changed(x, name, 0.7), atol=0.05)


def test_a_mixed_batch_gets_each_change_where_it_was_drawn() -> None:
    x = photos(14)
    strength = torch.linspace(-1, 1, 14)
    together = photo_changed(x, torch.arange(14), strength, REACH, 128, 255)
    for place in range(14):
        alone = photo_changed(x[place : place + 1], torch.tensor([place]), strength[place : place + 1], REACH, 128, 255)
        assert torch.allclose(together[place : place + 1], alone, atol=1e-3), place


def test_magnitude_and_number_of_changes_count() -> None:
    torch.manual_seed(0)
    x = photos(2)[:1].repeat(400, 1, 1, 1)

    def moved(ops: int, magnitude: float) -> float:
        return (RandAugment(ops, magnitude, 128, 255)(x) - x).abs().mean().item()

    assert moved(1, 3) < moved(1, 15) < moved(2, 15) < moved(4, 30)


def test_trivialaugment_draws_all_fourteen_and_stays_between_black_and_white() -> None:
    torch.manual_seed(0)
    x = photos(2)[:1].repeat(600, 1, 1, 1)
    y = TrivialAugment(128, 255)(x)
    assert y.min() >= 0
    assert y.max() <= 255
    same = (y == x).all((1, 2, 3)).float().mean()
    assert 1 / 14 - 0.04 < same < 3 / 14 + 0.04, "identity is one of fourteen; weak posterizing changes nothing either"
    assert len({tuple(one.flatten().tolist()) for one in y}) > 400
