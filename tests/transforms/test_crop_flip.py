"""Random shifts and mirror images."""

import torch

from nncli.transforms.crop_flip import CropFlip
from nncli.transforms.standardize import Standardize
from nncli.transforms.transform import Transform


def shifts(x: torch.Tensor, padding: int) -> list[torch.Tensor]:
    """All windows of one padded image, plain and mirrored, cut one by one."""
    _, height, width = x.shape
    large = torch.nn.functional.pad(x, [padding] * 4)
    span = range(2 * padding + 1)
    windows = [large[:, row : row + height, column : column + width] for row in span for column in span]
    return windows + [window.flip(2) for window in windows]


def test_every_image_is_one_of_its_own_shifts_and_all_of_them_come() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4, 5)
    allowed = shifts(x, padding=1)
    seen = set()
    for image in CropFlip(padding=1, flip=True)(x.repeat(400, 1, 1, 1)):
        matches = [place for place, window in enumerate(allowed) if torch.equal(image, window)]
        assert matches
        seen.add(matches[0])
    assert len(seen) == 18


def test_samples_are_not_mixed_up() -> None:
    x = torch.arange(1.0, 65).reshape(64, 1, 1, 1).expand(64, 2, 6, 6)
    moved = CropFlip(padding=2, flip=False)(x)
    assert torch.equal(moved.amax((1, 2, 3)), x[:, 0, 0, 0])


def test_nothing_to_do_does_nothing() -> None:
    x = torch.randn(8, 3, 4, 4)
    assert torch.equal(CropFlip(padding=0, flip=False)(x), x)


def test_only_training_is_random() -> None:
    transform = Transform(Standardize([1, 8, 8]), [CropFlip(padding=2, flip=True)])
    x = torch.randint(0, 256, (16, 1, 8, 8), dtype=torch.uint8)
    transform.fit(lambda: [x])
    assert not torch.equal(transform(x), transform(x))
    transform.eval()
    assert torch.equal(transform(x), transform.standardize(x))
