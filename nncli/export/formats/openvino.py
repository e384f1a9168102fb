"""OpenVINO, for Intel's processors: a folder with model.xml and model.bin, converted from ONNX."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nncli.errors import NnError
from nncli.export.formats import KEY, Options, Run, onnx, package

if TYPE_CHECKING:
    from torch import Tensor

    from nncli.contracts import Form

SUFFIX, EXTRA, RUNS_CODE, COMPUTES = ".openvino", "openvino", False, True
OPTIONS = onnx.OPTIONS
MODEL = "model.xml"


def require(options: Options) -> None:
    _openvino()
    onnx.require(options)


def write(form: "Form", example: "Tensor", card: Mapping[str, Any], path: Path, options: Options) -> list[str]:
    openvino, source = _openvino(), path.with_name(f"{path.name}.onnx")
    try:
        notes = onnx.write(form, example, card, source, options)
        model = openvino.Core().read_model(source)
        del model.rt_info["framework"]  # ONNX's metadata, which is the card as well
        model.set_rt_info(json.dumps(dict(card)), [KEY])
        path.mkdir()
        openvino.save_model(model, path / MODEL, compress_to_fp16=False)  # --half has already made the weights smaller
    except RuntimeError as error:  # of OpenVINO: an operator that it does not have, or a full disk
        raise NnError(f"OpenVINO cannot write the net: {str(error).strip()[:300]}") from error
    finally:
        source.unlink(missing_ok=True)
    return [f"converted from ONNX, {note}" for note in notes]


def card(path: Path) -> dict[str, Any]:
    model = _model(path)
    return json.loads(model.get_rt_info([KEY]).value) if model.has_rt_info([KEY]) else {}


def load(path: Path) -> Run:
    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # by default it computes in bfloat16 on some processors
    compiled = _openvino().Core().compile_model(_model(path), "CPU", exact)
    return lambda x: compiled(x).to_tuple()


def _model(path: Path) -> Any:
    if not (path / MODEL).is_file():
        raise NnError(f"{path} holds no {MODEL}; OpenVINO's model is a folder with {MODEL} and model.bin")
    try:
        return _openvino().Core().read_model(path / MODEL)
    except RuntimeError as error:
        why = str(error).replace("\n", " ")[:300]
        raise NnError(f"{path} cannot be opened by OpenVINO: {why}") from error


def _openvino() -> Any:
    cast(dict[str, Any], sys.modules).setdefault("openvino_telemetry", None)  # else its import is reported to Intel
    return package("openvino", EXTRA)
