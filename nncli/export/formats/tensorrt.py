"""TensorRT's engine (.engine), for the NVIDIA GPU on which it is written and others of its generation; from ONNX."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.errors import NnError
from nncli.export.formats import Options, Run, onnx
from nncli.export.formats.litert import append
from nncli.export.formats.litert import card as card

if TYPE_CHECKING:
    from torch import Tensor

    from nncli.contracts import Form

SUFFIX, EXTRA, RUNS_CODE, COMPUTES = ".engine", "", True, True
OPTIONS = onnx.OPTIONS
LARGEST = 256  # samples of a batch


def require(options: Options) -> None:
    _tensorrt()
    onnx.require(options)


def write(form: "Form", example: "Tensor", card: Mapping[str, Any], path: Path, options: Options) -> list[str]:
    trt, source = _tensorrt(), path.with_name(f"{path.name}.onnx")
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)  # the types are those of the ONNX file
    network, config = builder.create_network(typed), builder.create_builder_config()
    parser = trt.OnnxParser(network, logger)
    try:
        notes = onnx.write(form, example, card, source, options)
        if not parser.parse_from_file(str(source)):
            why = "; ".join(str(parser.get_error(number)) for number in range(parser.num_errors))
            raise NnError(f"TensorRT cannot read the net: {why}")
    finally:
        source.unlink(missing_ok=True)
    config.clear_flag(trt.BuilderFlag.TF32)  # which rounds the factors of products to 10 bits
    if None in card["input"]["shape"]:
        profile = builder.create_optimization_profile()
        profile.set_shape(card["input"]["name"], *(_sizes(card, batch) for batch in (1, 64, LARGEST)))
        config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise NnError("TensorRT cannot build an engine of the net on this machine; its own messages say why")
    path.write_bytes(engine)
    append(path, card)
    limit = [] if options.batch else [f"batches of at most {LARGEST} samples"]
    return [*(f"converted from ONNX, {note}" for note in notes), *limit]


def load(path: Path) -> Run:
    import torch

    trt = _tensorrt()
    with zipfile.ZipFile(path) as archive:
        size = min(info.header_offset for info in archive.infolist())  # the card follows the engine
    engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(path.read_bytes()[:size])
    if engine is None:
        raise NnError(f"{path} was written by another version of TensorRT or for another GPU; export the run again")
    context = engine.create_execution_context()
    names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
    (source,) = (name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT)
    outputs = [output["name"] for output in card(path)["outputs"]]
    types = {name: torch.from_numpy(np.empty(0, trt.nptype(engine.get_tensor_dtype(name)))).dtype for name in outputs}

    def run(x: np.ndarray) -> list[np.ndarray]:
        given = torch.from_numpy(x).cuda()
        context.set_input_shape(source, tuple(given.shape))
        shapes = {name: tuple(context.get_tensor_shape(name)) for name in outputs}
        found = {name: torch.empty(shapes[name], dtype=types[name], device="cuda") for name in outputs}
        for name, tensor in {source: given, **found}.items():
            context.set_tensor_address(name, tensor.data_ptr())
        context.execute_async_v3(torch.cuda.current_stream().cuda_stream)
        return [found[name].cpu().numpy() for name in outputs]

    return run


def _sizes(card: Mapping[str, Any], batch: int) -> tuple[int, ...]:
    """The smallest, usual or largest input; of the other dimensions that may change, 1 to that of the example."""
    first, *rest = card["input"]["shape"]
    usual = [1] * len(rest) if batch == 1 else card["input"]["example"]
    return (first or batch, *(size or other for size, other in zip(rest, usual, strict=True)))


def _tensorrt() -> Any:
    try:
        import tensorrt
    except ImportError as error:
        raise NnError(
            "this format needs an NVIDIA GPU and its package: pip install tensorrt\n"
            "  or take --to onnx: ONNX Runtime runs it with TensorRT (the package onnxruntime-gpu, its provider "
            "TensorrtExecutionProvider), and trtexec --onnx=NAME.onnx --saveEngine=NAME.engine converts it"
        ) from error
    return tensorrt
