"""The net's weights alone, for other programs, or to start a run: model.init_from=FILE. It does not compute."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.errors import NnError
from nncli.export.formats import KEY, Options, Run

if TYPE_CHECKING:
    from torch import Tensor

    from nncli.contracts import Form

SUFFIX, EXTRA, RUNS_CODE, COMPUTES = ".safetensors", "", False, False
OPTIONS = ("half",)


def require(options: Options) -> None:
    """safetensors comes with nn."""


def write(form: "Form", example: "Tensor", card: Mapping[str, Any], path: Path, options: Options) -> list[str]:
    from safetensors.torch import save

    path.write_bytes(save(_tensors(form), metadata={KEY: json.dumps(card)}))
    return ["the weights of the net only: it has no preprocessing and does not compute"]


def card(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            found = (file.metadata() or {}).get(KEY)
    except (SafetensorError, OSError) as error:
        raise NnError(f"{path} is broken: {error}") from error
    return {} if found is None else json.loads(found)


def load(path: Path) -> Run:
    raise NnError(f"{path} holds weights only, which predict nothing; export to onnx, pt2 or torchscript instead")


def difference(path: Path, form: "Form") -> float:
    """The largest difference between the tensors of a file and those of the net; raises NnError if one is missing."""
    from safetensors.numpy import load_file

    ours, theirs = _tensors(form), load_file(path)
    if odd := sorted(ours.keys() ^ theirs.keys()):
        raise NnError(f"{path} does not have the tensors of the net: {', '.join(odd[:5])}")
    gaps = [np.abs(tensor.float().numpy() - theirs[name].astype(np.float32)) for name, tensor in ours.items()]
    return max(float(gap.max(initial=0.0)) for gap in gaps)


def _tensors(form: "Form") -> dict[str, "Tensor"]:
    from nncli.export.half import Half

    net = form.module.get_submodule("task.net")
    net = net.net if isinstance(net, Half) else net
    return {name: tensor.detach().contiguous().clone() for name, tensor in net.state_dict().items()}
