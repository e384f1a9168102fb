"""Small pictures for tests, and a cache of their own."""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def picture(shade: int, height: int = 32, width: int = 32, kind: str = "PNG", mode: str = "RGB") -> bytes:
    data = io.BytesIO()
    colour = (shade, 0, 255 - shade) if mode == "RGB" else shade
    Image.new(mode, (width, height), colour).save(data, kind)
    return data.getvalue()


def noise(seed: int, size: int = 32, kind: str = "JPEG") -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)).save(data, kind)
    return data.getvalue()


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path
