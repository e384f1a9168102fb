"""Milliseconds of processor time a batch, ours and kornia's, as the table of docs/guide/transforms.md."""

import importlib
import time
from collections.abc import Callable
from typing import Any

import torch

from nncli.transforms.affine import Affine
from nncli.transforms.blur import Blur
from nncli.transforms.color import ColorJitter
from nncli.transforms.crop_flip import CropFlip
from nncli.transforms.cutmix import CutMix
from nncli.transforms.erase import Erase
from nncli.transforms.flip import Flip
from nncli.transforms.mixup import Mixup
from nncli.transforms.noise import Noise
from nncli.transforms.randaugment import RandAugment
from nncli.transforms.trivialaugment import TrivialAugment

SIZES = (((128, 3, 32, 32), 40), ((64, 3, 224, 224), 6))  # a batch, and how often it is timed


def least(change: Callable[[], object], times: int) -> float:
    """The least of several, in ms; processor time, so that other programs do not count."""
    torch.manual_seed(0)
    found = []
    for _ in range(times):
        start = time.process_time()
        change()
        found.append(time.process_time() - start)
    return min(found) * 1000


def pairs(shape: tuple[int, ...]) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    k: Any = importlib.import_module("kornia.augmentation")
    auto: Any = importlib.import_module("kornia.augmentation.auto")
    x, y = torch.rand(shape), torch.arange(shape[0]) % 10
    pixels, soft, both = x * 255, torch.nn.functional.one_hot(y, 10).float(), ["input", "class"]
    crop, jitter = k.RandomCrop(shape[2:], padding=4, cropping_mode="slice"), k.ColorJitter(0.4, 0.4, 0.4, 0.1, p=1.0)
    affine = k.RandomAffine(15.0, (0.1, 0.1), (0.9, 1.1), 5.0, p=1.0)
    mixup, cutmix = k.RandomMixUpV2(p=1.0, data_keys=both), k.RandomCutMixV2(p=1.0, data_keys=both)
    ours = ColorJitter(0.4, 0.4, 0.4, 0.1, 255)
    return {
        "flip": (lambda: Flip(0.5, 0.0)(x), lambda: k.RandomHorizontalFlip(p=0.5)(x)),
        "crop with padding": (lambda: CropFlip(4, flip=False)(x), lambda: crop(x)),
        "affine": (lambda: Affine(15.0, 0.1, [0.9, 1.1], 5.0)(x), lambda: affine(x)),
        "color": (lambda: ours(pixels), lambda: jitter(x)),
        "erase": (
            lambda: Erase([0.02, 0.33], 3.3, 1.0)(x),
            lambda: k.RandomErasing((0.02, 0.33), (0.3, 3.3), p=1.0)(x),
        ),
        "blur": (lambda: Blur([0.1, 1.0], 1.0)(x), lambda: k.RandomGaussianBlur((5, 5), (0.1, 1.0), p=1.0)(x)),
        "noise": (lambda: Noise(0.1)(x), lambda: k.RandomGaussianNoise(0.0, 0.1, p=1.0)(x)),
        "randaugment": (lambda: RandAugment(2, 9, 128, 255)(pixels), lambda: auto.RandAugment(2, 9)(x)),
        "trivialaugment": (lambda: TrivialAugment(128, 255)(pixels), lambda: auto.TrivialAugment()(x)),
        "mixup": (lambda: Mixup(0.2, 1.0)(x, soft), lambda: mixup(x, y)),
        "cutmix": (lambda: CutMix(1.0, 1.0)(x, soft), lambda: cutmix(x, y)),
    }


def main() -> None:
    torch.set_num_threads(1)
    rows: dict[str, list[str]] = {}
    for shape, times in SIZES:
        for name, (ours, theirs) in pairs(shape).items():
            rows.setdefault(name, []).extend(f"{least(change, times):.1f}" for change in (ours, theirs))
    for name, numbers in rows.items():
        print(f"| {name} | " + " | ".join(numbers) + " |")


if __name__ == "__main__":
    main()
