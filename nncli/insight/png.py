"""PNG files that nn draws: each says so inside, and only such a file is ever overwritten."""

import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from nncli.errors import NnError, reason
from nncli.run.files import write_atomic, write_new

if TYPE_CHECKING:
    from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MARK = ("Software", "nncli")
CHUNK = b"\0\0\0\x0etEXt" + "\0".join(MARK).encode()  # the mark as it stands in a file, its length before it
HEAD = 100  # bytes in which it stands


def save(image: "Image.Image", path: Path) -> None:
    """Write a PNG file where there is nothing, or over one that nn drew."""
    from PIL.PngImagePlugin import PngInfo

    refuse(path)
    marks, buffer = PngInfo(), BytesIO()
    marks.add_text(*MARK)
    image.save(buffer, "PNG", pnginfo=marks)
    try:
        if os.path.lexists(path):
            write_atomic(path, buffer.getvalue())
        else:
            write_new(path, buffer.getvalue())
    except OSError as error:
        raise NnError(f"the picture cannot be written: {reason(error)}") from error


def refuse(path: Path) -> None:
    """NnError where something lies that nn did not draw, a link included."""
    if not os.path.lexists(path):
        return
    if path.is_file() and not path.is_symlink():
        with open(path, "rb") as file:
            head = file.read(HEAD)
        if head.startswith(SIGNATURE) and CHUNK in head:
            return
    raise NnError(f"{path} exists, and nn did not draw it. Name another file with --out, or delete that one.")
