"""LiteRT, formerly TensorFlow Lite (.tflite), for phones and small computers."""

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.errors import NnError
from nncli.export.formats import KEY, Options, Run, package, pt2

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nncli.contracts import Form

SUFFIX, EXTRA, RUNS_CODE, COMPUTES = ".tflite", "litert", False, True
OPTIONS = ("batch",)  # it computes in float32, on inputs of one size


def require(options: Options) -> None:
    with _quiet():
        for name in ("litert_torch", "ai_edge_litert"):
            package(name, EXTRA)


def write(form: "Form", example: "Tensor", card: Mapping[str, Any], path: Path, options: Options) -> list[str]:
    """For one size of batch, and one length of texts: the converter supports no others."""
    size, name = options.batch or 1, card["input"]["name"]
    with _quiet():
        litert_torch = package("litert_torch", EXTRA)
        litert_torch.config.show_progress = False
        try:
            net = litert_torch.convert(
                _named(form), sample_kwargs={name: example[:size]}, enable_x64=True, lightweight_conversion=True
            )
        except Exception as error:  # each of its passes raises others
            why = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"
            raise NnError(f"the net cannot be written for LiteRT: {why}\n  take --to onnx") from error
        net.export(str(path))
    append(path, {**card, "input": {**card["input"], "shape": [size, *example.shape[1:]]}})
    notes = [] if options.batch else ["its batch size is 1; --batch N writes another one"]
    return [*notes, f"shorter texts are padded to {example.shape[1]} tokens"] if _tokens(card) else notes


def append(path: Path, card: Mapping[str, Any]) -> None:
    """Store the card in a zip archive behind the net, where this format keeps names of classes as well."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{KEY}/extra/{KEY}.json", json.dumps(card))


def card(path: Path) -> dict[str, Any]:
    return pt2.card(path) if zipfile.is_zipfile(path) else {}


def load(path: Path) -> Run:
    fixed, names = card(path)["input"]["shape"], [output["name"] for output in card(path)["outputs"]]
    with _quiet():
        try:
            interpreter = package("ai_edge_litert.interpreter", EXTRA).Interpreter(model_path=str(path))
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise NnError(f"{path} cannot be opened by LiteRT: {str(error)[:300]}") from error
        net = interpreter.get_signature_runner()
    (name,) = net.get_input_details()

    def run(x: np.ndarray) -> list[np.ndarray]:
        if x.dtype == np.int64:  # tokens; 0 is padding
            x = np.pad(x, ((0, 0), (0, fixed[1] - x.shape[1])))
        found = net(**{name: x})
        return [found[output] for output in names]

    return run


def _tokens(card: Mapping[str, Any]) -> bool:
    return card["input"]["dtype"] == "int64"


def _named(form: "Form") -> "nn.Module":
    """The net with named outputs, and an input that is named by whoever calls it."""
    from torch import Tensor, nn

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = form.module

        def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
            (x,) = inputs.values()
            found = self.net(x)
            return dict(zip(form.outputs, found if isinstance(found, tuple) else (found,), strict=True))

    return Named().eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what its libraries write to stderr, past Python; problems are raised as well."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
