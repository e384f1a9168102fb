"""ONNX, by torch's exporter; runs in ONNX Runtime, without torch."""

import json
import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.errors import NnError
from nncli.export.formats import KEY, Options, Run, dynamic_shapes, package
from nncli.export.quantize import quantize

if TYPE_CHECKING:
    from torch import Tensor

    from nncli.contracts import Form

SUFFIX, EXTRA, RUNS_CODE, COMPUTES = ".onnx", "onnx", False, True
OPTIONS = ("half", "batch", "dynamic", "opset")
OPSETS = range(18, 24)  # between which torch's exporter and ONNX Runtime agree
LARGEST = 2 << 30  # bytes of one ONNX file


def require(options: Options) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):  # torch's exporter needs the second
        package(name, EXTRA)
    if options.opset is not None and options.opset not in OPSETS:
        raise NnError(f"--opset is {options.opset}; it must be {OPSETS.start} to {OPSETS.stop - 1}")


def write(form: "Form", example: "Tensor", card: Mapping[str, Any], path: Path, options: Options) -> list[str]:
    """By torch's current exporter; where that fails, by the older one, which is noted."""
    import torch

    onnx = package("onnx", EXTRA)
    size = sum(t.numel() * t.element_size() for t in form.module.state_dict().values())
    if size >= LARGEST:
        raise NnError(
            f"the weights are {size / 1e9:.1f} GB, and an ONNX file has at most 2 GB; take --half or --to pt2"
        )
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of each package that it can do without
    names: dict[str, Any] = {"input_names": [card["input"]["name"]], "output_names": list(form.outputs)}
    notes = []
    try:
        shapes = dynamic_shapes(example, options)
        program = torch.onnx.export(
            form.module,
            (example,),
            dynamo=True,
            opset_version=options.opset,
            dynamic_shapes=shapes,
            verbose=False,
            **names,
        )
        assert program is not None
        model = program.model_proto
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError) as error:
        model = _by_trace(form, example, path, options, names, error)
        why = str(error).partition("\n")[0]
        notes.append(f"written by torch's older exporter, as the current one fails: {type(error).__name__}: {why}")
    for part in (*model.graph.node, *model.graph.value_info):
        del part.metadata_props[:]  # torch's stack traces: long, and with the paths of this machine
    opset = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    onnx.helper.set_model_props(model, {KEY: json.dumps({**card, "opset": opset})})
    path.write_bytes(model.SerializeToString())
    if options.quantize:
        notes += quantize(path, path, options.quantize, options.samples)
    return [*notes, f"opset {opset}"]


def _by_trace(
    form: "Form", example: "Tensor", path: Path, options: Options, names: dict[str, Any], problem: Exception
) -> Any:
    import onnx
    import torch

    traced = path.with_name(f"{path.name}.traced")
    axes = None if options.batch else {name: {0: "batch"} for name in (*names["input_names"], *form.outputs)}
    try:
        torch.onnx.export(form.module, (example,), str(traced), dynamo=False, dynamic_axes=axes, **names)
        return onnx.load(traced)
    except Exception as error:  # either exporter may raise anything
        raise NnError(
            f"the net cannot be written as ONNX: {type(problem).__name__}: {str(problem).partition(chr(10))[0]}\n"
            "  other formats may do: --to pt2 or --to torchscript"
        ) from error
    finally:
        traced.unlink(missing_ok=True)


def card(path: Path) -> dict[str, Any]:
    found = _session(path).get_modelmeta().custom_metadata_map.get(KEY)
    return {} if found is None else json.loads(found)


def load(path: Path) -> Run:
    session = _session(path)
    if len(session.get_inputs()) != 1:
        raise NnError(f"{path} has {len(session.get_inputs())} inputs; nn runs files with one")
    (source,) = session.get_inputs()

    def run(x: Any) -> Any:
        try:
            return session.run(None, {source.name: x})
        except Exception as error:  # its errors have no common public class
            why = str(error).partition("\n")[0]
            raise NnError(f"{path} does not take {x.dtype} of shape {list(x.shape)}: {why}") from error

    return run


def _session(path: Path) -> Any:
    """The file in ONNX Runtime; opened once for its card and its computation."""
    stat = path.stat()
    return _opened(str(path.absolute()), (stat.st_mtime_ns, stat.st_size, stat.st_ino))


@lru_cache(1)
def _opened(path: str, unchanged: tuple[int, ...]) -> Any:
    onnxruntime = package("onnxruntime", EXTRA)
    onnxruntime.set_default_logger_severity(4)  # its errors are raised as well
    try:  # by its path, so that ONNX Runtime refuses weights outside the file's folder
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common public class
        why = str(error).replace("\n", " ")[:300]
        raise NnError(f"{path} cannot be opened by ONNX Runtime: {why}") from error
