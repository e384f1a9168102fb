"""Encode pictures in any form as a source does, from the shape in its `facts` alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nncli.data.files.paths import regular
from nncli.data.images.decode import LARGEST, Form, Trouble, decoded, pixels
from nncli.data.numbers import Samples, array, known, whole
from nncli.errors import DataError
from nncli.files import named

CHANNELS = (1, 3, 4)


def encode(raw: Any, samples: Samples) -> np.ndarray:
    """A file's path or bytes, an opened picture, or values from 0 to 255 (H, W), (H, W, C) or (C, H, W), as uint8.

    Several in a list, or in an array (N, H, W, C) or (N, C, H, W), become a batch (N, C, H, W). Pictures of another
    size or other colours are converted to those of the training part, like the pictures of a folder. A mapping with
    the file's `bytes` or `path` is the form of the library `datasets`.
    """
    shape = list(known(samples, "shape"))
    if len(shape) != 3:
        raise DataError(f"a sample of this data has the shape {shape}, which is no picture's")
    form = Form(shape[0], shape[1], shape[2], exact=False)
    if isinstance(raw, Mapping) and {"bytes", "path"} & raw.keys():
        raw = raw.get("bytes") or raw.get("path")
    if _several(raw):
        return np.stack([encode(one, samples) for one in raw])
    if isinstance(raw, str | Path):
        return _decoded(_read(Path(raw)), named(raw), form)
    if isinstance(raw, bytes | bytearray | memoryview):
        return _decoded(bytes(raw), "the picture", form)
    if isinstance(raw, Image.Image):
        return np.array(pixels(raw.copy(), form))  # a copy, since a JPEG may be reopened at a smaller size
    return _of_values(array(raw), form)


def _several(raw: Any) -> bool:
    if isinstance(raw, np.ndarray):
        return raw.ndim == 4
    if not isinstance(raw, list | tuple):
        return False
    return any(not isinstance(one, list | tuple | int | float) for one in raw) or _depth(raw) == 4


def _depth(raw: Any) -> int:
    return 1 + _depth(raw[0]) if isinstance(raw, list | tuple) and raw else 0


def _read(path: Path) -> bytes:
    try:
        with regular(path).open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as problem:
        raise DataError(f"{named(path)} cannot be read: {problem.strerror}") from problem
    if len(data) > LARGEST:
        raise DataError(f"{named(path)} has more than {LARGEST:,} bytes, more than a picture may")
    return data


def _decoded(data: bytes, name: str, form: Form) -> np.ndarray:
    (found,) = decoded(lambda _: data, [name], form)
    if isinstance(found, Trouble):
        raise DataError(f"{name} cannot be read: {found.reason}")
    return np.array(found)


def _of_values(values: np.ndarray, form: Form) -> np.ndarray:
    if values.dtype.kind == "f":
        raise DataError(f"a picture's values are whole numbers from 0 to 255; these are {values.dtype}")
    given = whole(values, np.dtype(np.uint8))
    if given.shape == form[:3]:
        return given
    if given.ndim == 3 and given.shape[0] in CHANNELS and given.shape[2] not in CHANNELS:
        given = given.transpose(1, 2, 0)
    if given.ndim == 3 and given.shape[2] == 1:
        given = given[..., 0]
    if (given.ndim != 2 and not (given.ndim == 3 and given.shape[2] in CHANNELS)) or not given.size:
        raise DataError(f"a picture is (H, W), (H, W, C) or (C, H, W); these values are {list(values.shape)}")
    return np.array(pixels(Image.fromarray(np.ascontiguousarray(given)), form))
