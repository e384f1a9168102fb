"""Random shifts and mirror images."""

import pytest
import torch

import nncli
from nncli.errors import ConfigError
from nncli.run.checkpoint import load
from nncli.run.fit import resume
from nncli.run.screen import Screen
from nncli.transforms.crop_flip import CropFlip, fixed_half
from nncli.transforms.noise import Noise
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


def pictures(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def mirrored(transform: Transform, x: torch.Tensor, epoch: int) -> torch.Tensor:
    """Which images come out as their mirror images, in one epoch."""
    transform.set_epoch(epoch)
    y, plain = transform(x), transform.standardize(x)
    flipped = (y - plain.flip(3)).abs().amax((1, 2, 3)) < 0.5  # less than noise and more than rounding
    assert torch.equal(~flipped, (y - plain).abs().amax((1, 2, 3)) < 0.5)
    return flipped


def test_alternate_shows_each_image_from_both_sides_in_two_epochs() -> None:
    x = pictures(1000)
    transform = Transform(Standardize([3, 8, 8]), [CropFlip(padding=0, flip="alternate")])
    transform.fit(lambda: [x])
    first = mirrored(transform, x, 0)
    assert 440 < first.sum() < 560
    assert torch.equal(mirrored(transform, x, 1), ~first)
    assert torch.equal(mirrored(transform, x, 2), first)


def test_alternate_goes_by_the_picture_alone() -> None:
    x = pictures(64)
    noisy = Transform(Standardize([3, 8, 8]), [Noise(0.05), CropFlip(padding=0, flip="alternate")])
    noisy.fit(lambda: [x])
    whole = mirrored(noisy, x, 0)
    assert torch.equal(whole, fixed_half(x)), "what else is changed does not matter"
    order = torch.randperm(64)
    parts = torch.cat([mirrored(noisy, some, 0) for some in x[order].split(7)])
    assert torch.equal(parts, whole[order]), "nor the batch it is in"
    assert torch.equal(fixed_half(x.contiguous(memory_format=torch.channels_last)), whole)


def test_values_of_any_kind_are_halved() -> None:
    x = pictures(2000)
    for values in (x.half(), x.float(), x.double(), x.float() / 255, x[:, :1] // 16, x.long()):
        assert 0.45 < fixed_half(values).float().mean() < 0.55, values.dtype


def test_a_run_alternates_by_its_epochs_and_so_does_a_resumed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["data=digits", "transform=crop_flip", "transform.augment.0.flip=alternate", "model=linear", "test=false"]
    words += ["trainer.precision=32", "trainer.threads=1", "scheduler=constant", "data.batch_size=256"]
    told: list[int] = []
    tell = CropFlip.set_epoch
    monkeypatch.setattr(CropFlip, "set_epoch", lambda change, epoch: (told.append(epoch), tell(change, epoch)))
    straight = nncli.fit([*words, "trainer.max_steps=12"], show="quiet")
    assert sorted(set(told)) == [0, 1, 2]
    parted = nncli.fit([*words, "trainer.max_steps=6"], show="quiet")
    resume(parted, ["trainer.max_steps=12"], Screen("quiet"))
    one, other = (load(run.path / "checkpoints" / "last.ckpt")["state_dict"] for run in (straight, parted))
    assert torch.equal(one["net.layer.weight"], other["net.layer.weight"]), "stopped inside its second epoch"


def test_another_word_is_reported_with_those_allowed() -> None:
    with pytest.raises(ConfigError, match=r"transform\.augment\.0\.flip.*alternate.*\[wrong-value\]"):
        nncli.fit(["data=digits", "transform=crop_flip", "transform.augment.0.flip=alternating"], show="quiet")
