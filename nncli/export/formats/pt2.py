"""torch.export's archive (.pt2), for any program with torch."""

import json
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.errors import NnError
from nncli.export.formats import KEY, Options, Run, dynamic_shapes
from nncli.export.quantize import weights_in_torch

if TYPE_CHECKING:
    from torch import Tensor

    from nncli.contracts import Form

SUFFIX, EXTRA, RUNS_CODE, COMPUTES = ".pt2", "", True, True
OPTIONS = ("half", "batch", "dynamic")
LARGEST = 64 << 20  # bytes of a card


def require(options: Options) -> None:
    """torch is enough."""


def write(form: "Form", example: "Tensor", card: Mapping[str, Any], path: Path, options: Options) -> list[str]:
    import torch

    notes = weights_in_torch(form.module) if options.quantize else []
    try:
        program = torch.export.export(form.module, (example,), dynamic_shapes=dynamic_shapes(example, options))
    except (RuntimeError, ValueError, TypeError) as error:
        why = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        raise NnError(f"the net cannot be written as pt2: {why}\n  --batch 1 may help, or --to torchscript") from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # with the paths of this machine
    torch.export.save(program, buffer := BytesIO(), extra_files={f"{KEY}.json": json.dumps(card)})
    path.write_bytes(buffer.getbuffer())  # by Python, whose errors name the file and the reason
    return notes


def card(path: Path) -> dict[str, Any]:
    """The archive is read as a zip file, so that nothing in it runs."""
    try:
        with zipfile.ZipFile(path) as archive:
            place = next((info for info in archive.infolist() if info.filename.endswith(f"/extra/{KEY}.json")), None)
            if place is None:
                return {}
            if place.file_size > LARGEST:
                raise NnError(f"{path}: its metadata has {place.file_size:,} bytes, more than nn writes")
            return json.loads(archive.read(place))
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise NnError(f"{path} is broken: {error}") from error


def load(path: Path) -> Run:
    import torch

    return in_torch(torch.export.load(str(path)).module())


def in_torch(module: Callable[["Tensor"], Any]) -> Run:
    """A module of torch on arrays."""
    import torch

    def run(x: Any) -> list[Any]:
        with torch.inference_mode():
            found = module(torch.from_numpy(x))
        return [one.numpy() for one in (found if isinstance(found, tuple | list) else (found,))]

    return run
