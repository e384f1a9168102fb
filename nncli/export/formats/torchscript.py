"""TorchScript by tracing, for programs in C++ and in Python without nn. PyTorch has deprecated it in favor of pt2."""

import json
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.errors import NnError
from nncli.export.formats import KEY, Options, Run
from nncli.export.formats.pt2 import card as card
from nncli.export.formats.pt2 import in_torch

if TYPE_CHECKING:
    from torch import Tensor

    from nncli.contracts import Form

SUFFIX, EXTRA, RUNS_CODE, COMPUTES = ".torchscript", "", True, True
OPTIONS = ("half", "batch", "dynamic")


def require(options: Options) -> None:
    """torch is enough."""


def write(form: "Form", example: "Tensor", card: Mapping[str, Any], path: Path, options: Options) -> list[str]:
    import torch

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its deprecation, and notes on what a trace fixes, which acceptance finds
        try:
            traced: Any = torch.jit.freeze(torch.jit.trace(form.module, (example,), check_trace=False))
        except RuntimeError as error:
            why = str(error).strip().partition("\n")[0]
            raise NnError(f"the net cannot be written as TorchScript: {why}\n  take --to pt2 or --to onnx") from error
        torch.jit.save(traced, buffer := BytesIO(), _extra_files={f"{KEY}.json": json.dumps(card)})
    path.write_bytes(buffer.getbuffer())  # by Python, whose errors name the file and the reason
    return []


def load(path: Path) -> Run:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return in_torch(torch.jit.load(str(path), map_location="cpu"))
