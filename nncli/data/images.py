"""Image files in class folders, on disk or in a zip, decoded once into one uint8 tensor."""

import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nncli.data.archive import safe
from nncli.data.progress import shown
from nncli.errors import DataError

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".webp"}
LARGEST = 64 << 20  # bytes of one file; more is no image for a tensor in memory


def read_pair(train: Path, test: Path, shape: list[int]) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The images and labels of two sources with the same classes, numbered by their sorted names."""
    found = [list_images(train), list_images(test)]
    classes = sorted(found[0])
    if odd := set(classes) ^ set(found[1]):
        there, missing = ("train", "test") if (name := min(odd)) in found[0] else ("test", "train")
        raise DataError(
            f"data.root: class '{name}' is in the {there} part and not in the {missing} part ({train}, {test})"
        )
    first, second = (read_images(path, files, classes, shape) for path, files in zip((train, test), found, strict=True))
    return first, second


def list_images(source: Path) -> dict[str, list[str]]:
    """The names of the images in a folder or zip by class, which is the name of the folder they are in."""
    if source.is_dir():
        names = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
    else:
        names = _zip_names(source)
    classes: dict[str, list[str]] = {}
    for name in sorted(names):
        path = PurePosixPath(name)
        if path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.parts[0] != "__MACOSX":
            if len(path.parts) < 2:
                raise DataError(f"{source}: {name} is in no class folder")
            classes.setdefault(path.parts[-2], []).append(name)
    if not classes:
        raise DataError(f"{source} holds no images in class folders")
    return classes


def read_images(
    source: Path, files: dict[str, list[str]], classes: list[str], shape: list[int]
) -> tuple[Tensor, Tensor]:
    """All images (N, C, H, W) and their labels (N,), in the order of the classes."""
    names = [name for label in classes for name in files[label]]
    labels = torch.tensor([number for number, label in enumerate(classes) for _ in files[label]])
    images = np.empty((len(names), *shape), dtype=np.uint8)
    if source.is_dir():
        _fill(images, names, lambda name: (source / name).read_bytes(), source)
    else:
        with zipfile.ZipFile(source) as archive:
            _fill(images, names, archive.read, source)
    return torch.from_numpy(images), labels


def decode(data: bytes, shape: list[int]) -> np.ndarray:
    """One image as uint8 (C, H, W); its size is looked at before its pixels are."""
    channels, height, width = shape
    with Image.open(io.BytesIO(data)) as image:
        if image.size != (width, height):
            raise ValueError(f"it is {image.height} x {image.width}, data.input_shape says {height} x {width}")
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(height, width, -1).transpose(2, 0, 1)


def _fill(images: np.ndarray, names: list[str], read: Callable[[str], bytes], source: Path) -> None:
    """Decode one after another: for small images, threads only wait for each other (measured: 1.4 times slower)."""
    shape = list(images.shape[1:])
    for place, name in enumerate(shown(((1, name) for name in names), len(names), f"decoding {source.name}")):
        try:
            images[place] = decode(read(name), shape)
        except (OSError, ValueError, SyntaxError, EOFError, zipfile.BadZipFile, zlib.error) as problem:
            raise DataError(f"{source}: {name} cannot be read: {problem}") from problem


def _zip_names(source: Path) -> list[str]:
    try:
        with zipfile.ZipFile(source) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, OSError) as problem:
        raise DataError(f"{source} cannot be opened as a zip: {problem}") from problem
    for member in members:
        if not safe(member.filename):
            raise DataError(f"{source} was refused: {member.filename} points outside the archive")
        if member.file_size > LARGEST:
            raise DataError(f"{source} was refused: {member.filename} is {member.file_size:,} bytes when unpacked")
    return [member.filename for member in members]
