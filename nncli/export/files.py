"""An exported file as a model that predicts, in the runtime of its format; an ONNX file needs no torch."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nncli.data.encode import encoder
from nncli.errors import NnError
from nncli.export import own
from nncli.export.formats import Run, of_file
from nncli.files import named, refusal

LARGEST = 1 << 28  # numbers of a batch
DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")  # of inputs
NEEDED = {
    **dict.fromkeys(("form", "config", "weights", "run", "precision"), str),
    **dict.fromkeys(("input", "samples", "facts", "buffers", "metrics"), dict),
    **dict.fromkeys(("outputs", "answers"), list),
}


class Exported:
    """A file's card and its computation, on arrays."""

    def __init__(self, path: Path, card: Mapping[str, Any], run: Run) -> None:
        self.path, self.card, self.run = path, card, run
        self.name = str(path)

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs by name; a file of a fixed batch size is run as often as needed."""
        names, size = [output["name"] for output in self.card["outputs"]], self.card["input"]["shape"][0]
        if size is None:
            return dict(zip(names, self.run(x), strict=True))
        pieces = []
        for low in range(0, len(x), size):
            some = x[low : low + size]
            filled = np.concatenate([some, np.repeat(some[:1], size - len(some), axis=0)])
            pieces.append([answer[: len(some)] for answer in self.run(filled)])
        return {name: np.concatenate([piece[place] for piece in pieces]) for place, name in enumerate(names)}


def open_file(path: Path, *, trusted: bool = False) -> Exported:
    """Open a file that nn exported; with a format that can run code, only one of this machine, or a trusted one."""
    card = read_card(path)
    one = of_file(path)
    if one.RUNS_CODE and not trusted:
        own.require_own(path)
    return Exported(path, card, one.load(path))


def read_card(path: Path) -> dict[str, Any]:
    """The card of an exported file; nothing in the file is run."""
    if why := refusal(path, folders=True):
        raise NnError(f"{named(path)} {why}")
    try:
        found = of_file(path).card(path)
    except (ValueError, RecursionError) as error:
        raise NnError(f"{named(path)}: its metadata cannot be read: {str(error)[:100]}") from error
    if not isinstance(found, dict) or not found:
        raise NnError(f"{named(path)} was not exported by nn: it does not say what it takes and what it returns")
    if odd := [key for key, kind in NEEDED.items() if not isinstance(found.get(key), kind)] or _odd_values(found):
        raise NnError(f"{named(path)}: its metadata has no valid {odd[0]}; export the run again")
    return found


def _odd_values(card: Mapping[str, Any]) -> list[str]:
    """Which entries of a card do not contain what nn writes."""
    outputs, classes = card["outputs"], card.get("classes")
    if not outputs or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in outputs):
        return ["outputs"]
    if classes is not None and not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        return ["classes"]
    if not isinstance(card["samples"].get("kind"), str):
        return ["samples"]
    if not isinstance(card.get("tolerance"), float | int | None):
        return ["tolerance"]
    if not all(isinstance(value, float | int | None) for value in card["metrics"].values()):
        return ["metrics"]
    encoder(card["samples"]["kind"])  # refuses a kind that does not exist
    return _odd_input(card)


def _odd_input(card: Mapping[str, Any]) -> list[str]:
    """What is wrong with the sizes that a card states, by which memory is reserved."""
    example, batch = card["input"].get("example"), card["input"].get("shape", [None])[:1]
    sizes = [*(example if isinstance(example, list) else [None]), *(size for size in batch if size is not None)]
    if not all(isinstance(size, int) and 0 < size <= LARGEST for size in sizes) or math.prod(sizes) > LARGEST:
        return ["input"]
    if card["input"].get("dtype") not in DTYPES or not isinstance(card["input"].get("span"), int):
        return ["input"]
    shape = card["samples"].get("shape", example)
    return [] if shape == example else ["samples"]
