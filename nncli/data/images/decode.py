"""Image files as uint8 pixels (C, H, W). Also a program without torch, of which several processes can run at once.

For that reason it imports no other module of nncli. A job is a line of JSON on stdin with the arguments of `fill`.
"""

import io
import json
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
UNREADABLE += (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError, NotImplementedError)
LARGEST = 64 << 20  # bytes of one file
PIECE = 64  # pictures between two reports of progress
ORIENTATION = 0x0112
Read = Callable[[str], bytes]


class Form(NamedTuple):
    """The form to which every picture is converted; `exact` refuses those of another size."""

    channels: int
    height: int
    width: int
    exact: bool


class Trouble(NamedTuple):
    name: str
    reason: str


def decode(data: bytes, form: Form) -> np.ndarray:
    """One picture; its size is checked before its pixels are decoded."""
    with Image.open(io.BytesIO(data)) as image:
        return pixels(image, form)


def pixels(image: Image.Image, form: Form) -> np.ndarray:
    """The pixels (C, H, W) of an opened picture, rotated according to its orientation."""
    size, mode = (form.width, form.height), "L" if form.channels == 1 else "RGB"
    height, width, _ = _seen(image)
    if form.exact and (height, width) != (form.height, form.width):
        raise ValueError(f"it is {height} x {width}, not {form.height} x {form.width}")
    lies = (height, width) != (image.height, image.width)  # rotated
    image.draft(
        mode, (form.height, form.width) if lies else size
    )  # JPEG: at a half, a quarter or an eighth where that is enough
    plain = _upright(image)
    if plain.mode.startswith("I"):  # 16 bits
        plain = Image.fromarray((np.asarray(plain).clip(0, 65535) >> 8).astype(np.uint8))
    if plain.mode == "P":
        plain = plain.convert("RGBA")
    plain = plain.convert(mode)
    if plain.size != size:
        plain = plain.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(plain).reshape(form.height, form.width, -1).transpose(2, 0, 1)


def look(data: bytes) -> tuple[int, int, bool]:
    """Height, width and whether there are colours, from the header of a file."""
    with Image.open(io.BytesIO(data)) as image:
        return _seen(image)


def _seen(image: Image.Image) -> tuple[int, int, bool]:
    width, height = image.size
    if "exif" in image.info and image.getexif().get(ORIENTATION, 1) >= 5:  # rotated
        width, height = height, width
    return height, width, image.mode not in ("1", "L", "LA", "F") and not image.mode.startswith("I")


def _upright(image: Image.Image) -> Image.Image:
    turned = "exif" in image.info and image.getexif().get(ORIENTATION, 1) != 1
    return ImageOps.exif_transpose(image) if turned else image


def reader(source: Path) -> Read:
    """A function that reads files of a folder or a zip by name; for a zip, it must not be used in a forked process."""
    if source.is_dir():
        return lambda name: _limited(name, (source / name).stat().st_size) or (source / name).read_bytes()
    archive = zipfile.ZipFile(source)
    return lambda name: _limited(name, archive.getinfo(name).file_size) or archive.read(name)


def _limited(name: str, size: int) -> None:
    if size > LARGEST:
        raise ValueError(f"it has {size:,} bytes, more than a picture may")


def decoded(read: Read, names: Sequence[str], form: Form) -> Iterator[np.ndarray | Trouble]:
    """Each picture in turn, or why it cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata of a file does not matter
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for name in names:
            try:
                yield decode(read(name), form)
            except UNREADABLE as problem:
                yield Trouble(name, reason(problem))


def reason(problem: Exception) -> str:
    if isinstance(problem, UnidentifiedImageError):  # its own message contains a memory address
        return "it is not a picture, or a broken one"
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__


def fill(
    source: str, names: Sequence[str], target: str, low: int, form: Sequence[int], here: Read | None = None
) -> Iterator[tuple[int, list[Trouble]]]:
    """Decode into rows from `low` on of the .npy file `target`; yields how many more are done from time to time.

    `here` reads the source if it is already open.
    """
    images = np.lib.format.open_memmap(target, mode="r+")
    channels, height, width, exact = form
    found = decoded(reader(Path(source)) if here is None else here, names, Form(channels, height, width, bool(exact)))
    done, bad = 0, []
    for place, image in enumerate(found, start=low):
        if isinstance(image, Trouble):
            bad.append(image)
        else:
            images[place] = image
        done += 1
        if done == PIECE:
            yield done, bad
            done, bad = 0, []
    yield done, bad


def main() -> None:
    here: Read | None = None
    for line in sys.stdin:
        job = json.loads(line)  # all from the same source
        here = here or reader(Path(job["source"]))
        for step in fill(**job, here=here):
            print(json.dumps(step), flush=True)
        print("null", flush=True)


if __name__ == "__main__":
    main()
