"""PNG files that nn draws: each contains a mark of nn, and only such files are ever overwritten."""

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
CHUNK = b"\0\0\0\x0etEXt" + "\0".join(MARK).encode()  # the mark as it is in a file, preceded by its length
HEAD = 100  # bytes that contain it


def save(image: "Image.Image", path: Path, option: str = "--out") -> None:
    """Write a PNG file that does not exist yet, or replace one that nn drew."""
    from PIL.PngImagePlugin import PngInfo

    refuse(path, option)
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


def refuse(path: Path, option: str = "--out") -> None:
    """Raise NnError if the path is anything that nn did not draw, such as a link."""
    if not os.path.lexists(path):
        return
    if path.is_file() and not path.is_symlink():
        with open(path, "rb") as file:
            head = file.read(HEAD)
        if head.startswith(SIGNATURE) and CHUNK in head:
            return
    raise NnError(f"{path} exists and was not drawn by nn; name another file with {option}, or delete this one")
