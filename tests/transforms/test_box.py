"""Rectangles in images."""

import pytest
import torch
from torch import nn

from nncli.errors import NnError
from nncli.transforms.affine import Affine
from nncli.transforms.blur import Blur
from nncli.transforms.box import box
from nncli.transforms.color import ColorJitter
from nncli.transforms.crop_flip import CropFlip
from nncli.transforms.cutout import Cutout
from nncli.transforms.erase import Erase
from nncli.transforms.flip import Flip
from nncli.transforms.randaugment import RandAugment
from nncli.transforms.trivialaugment import TrivialAugment


def test_a_rectangle_over_the_edge_ends_there_and_one_without_height_is_empty() -> None:
    numbers = [torch.tensor(n) for n in ([1, -1, 2], [2, 3, 0], [0, 3, 0], [3, 9, 4])]
    inside = box(torch.zeros(3, 2, 4, 5), *numbers)[:, 0]
    assert inside[0].nonzero().tolist() == [[row, column] for row in (1, 2) for column in (0, 1, 2)]
    assert inside[1].nonzero().tolist() == [[row, column] for row in (0, 1) for column in (3, 4)]
    assert not inside[2].any()


@pytest.mark.parametrize(
    "change",
    [
        Affine(1, 0, [1, 1], 0),
        Blur([1, 1], 1),
        ColorJitter(0, 0, 0, 0, 255),
        CropFlip(1, True),
        Cutout(0.5, 1),
        Erase([0.1, 0.2], 1, 1),
        Flip(0.5, 0),
        RandAugment(1, 9, 128, 255),
        TrivialAugment(128, 255),
    ],
    ids=lambda change: type(change).__name__,
)
def test_what_is_for_images_says_so_when_it_gets_a_table(change: nn.Module) -> None:
    with pytest.raises(
        NnError, match=r"are images, \[channels, height, width\]; a sample of this data is \[4\]; choose"
    ):
        change(torch.zeros(8, 4))
