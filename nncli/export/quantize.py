"""ONNX files with 8-bit weights, by ONNX Runtime's quantizers; preprocessing and the final softmax stay in float."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from nncli.errors import NnError
from nncli.export.formats import How, Options

FORMATS: dict[str, tuple[How, ...]] = {"onnx": get_args(How), "pt2": ("weight-only",)}
CALIBRATION, PIECE = 512, 32  # samples of the training part, and how many of them at a time
LINEAR = ("Gemm", "MatMul")
LAYERS = ("Conv", "ConvTranspose", *LINEAR, "Gather")  # that have weights
# what lies between two such layers and has fast 8-bit kernels on a CPU; the rest stays in float
BETWEEN = ("Add", "AveragePool", "Clip", "Concat", "Flatten", "GlobalAveragePool", "MaxPool", "Relu", "Reshape")
BLOCK = 32  # weights that share a scale


def refuse(to: str, options: Options) -> None:
    """Raise NnError for what a format cannot have."""
    how = options.quantize
    if how and how not in FORMATS.get(to, ()):
        able = " or ".join(f"--to {name}" for name, hows in FORMATS.items() if how in hows)
        raise NnError(f"--quantize {how} needs {able}; got --to {to}")
    if how and options.half:
        raise NnError("--quantize and --half exclude each other; choose one")


def calibration(data: Any, why: str, batch: int | None) -> list[np.ndarray]:
    """Raw samples from the whole of the training part, in batches."""
    if data is None:
        raise NnError(f"--quantize static is calibrated on the training data, which cannot be loaded: {why}")
    rows, size = data.parts["train"], batch or PIECE
    x, _ = rows.take(rows.spread(CALIBRATION))
    return [piece.contiguous().numpy() for piece in x.split(size) if batch is None or len(piece) == batch]


def weights_in_torch(module: Any) -> list[str]:
    """Give the linear layers of a module int8 weights, from which they compute in float; by torchao."""
    import torch

    try:
        with _quietly():
            from torchao.quantization import Int8WeightOnlyConfig, quantize_
            from torchao.utils import unwrap_tensor_subclass
    except ImportError as error:
        raise NnError("--quantize with --to pt2 needs torchao: pip install 'nncli[shrink]'") from error
    layers = sum(isinstance(layer, torch.nn.Linear) for layer in module.modules())
    if not layers:
        raise NnError("this net has no linear layers, and others cannot have only their weights in int8")
    quantize_(module, Int8WeightOnlyConfig())
    unwrap_tensor_subclass(module)  # into plain tensors, so that a file can be opened without torchao
    return [f"int8 weights of {layers} linear layers (torchao)"]


def quantize(source: Path, target: Path, how: How, batches: Sequence[np.ndarray] = ()) -> list[str]:
    """Write a quantized copy of an ONNX file; returns notes. `batches` are raw samples of the training part."""
    with tempfile.TemporaryDirectory(prefix="nn-quantize-") as folder, _quietly():
        import onnx
        from onnxruntime.quantization.onnx_model import ONNXModel
        from onnxruntime.quantization.shape_inference import quant_pre_process

        prepared = f"{folder}/prepared.onnx"
        try:
            # torch's exporter has already optimized the graph; ONNX Runtime would add operators of its own
            quant_pre_process(str(source), prepared, skip_symbolic_shape=True, skip_optimization=True)
            model = ONNXModel(onnx.load(prepared))
            if how != "static":
                model.replace_gemm_with_matmul()
            return {"dynamic": _dynamic, "static": _static, "weight-only": _weights}[how](model.model, target, batches)
        except NnError:
            raise
        except Exception as error:  # of a library that raises anything for a graph that it does not know
            why = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise NnError(f"ONNX Runtime cannot quantize this net ({how}): {why}") from error


def _static(model: Any, target: Path, batches: Sequence[np.ndarray]) -> list[str]:
    """Weights and activations, whose ranges are the smallest and largest values seen in the calibration samples."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    _pool_last(model.graph)
    layers, inside = _inside(model.graph)
    if not layers:
        raise NnError("this net has no layers with weights that could be quantized")
    quantize_static(
        model,
        str(target),
        _reader(model.graph.input[0].name, batches),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=[*LAYERS, *BETWEEN],
        nodes_to_exclude=[node.name for node in model.graph.node if node.name not in inside],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    samples = sum(len(batch) for batch in batches)
    return [f"static int8 of {len(layers)} layers, calibrated on {samples:,} training samples (ONNX Runtime, QDQ)"]


def _dynamic(model: Any, target: Path, batches: Sequence[np.ndarray]) -> list[str]:
    """Weights, and activations by the range of each batch. Convolutions stay in float: they would be much slower."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    layers = [name for name in _inside(model.graph)[0] if _op(model.graph, name) in (*LINEAR, "Gather")]
    if not layers:
        raise NnError("this net has no linear layers, and convolutions would be slower in dynamic int8; use static")
    quantize_dynamic(model, target, nodes_to_quantize=layers, per_channel=True, weight_type=QuantType.QInt8)
    return [f"dynamic int8 of {len(layers)} linear layers (ONNX Runtime)"]


def _weights(model: Any, target: Path, batches: Sequence[np.ndarray]) -> list[str]:
    """Weights of linear layers in blocks that share a scale; only ONNX Runtime and OpenVINO know this operator."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    from onnxruntime.quantization.onnx_model import ONNXModel

    layers = [name for name in _inside(model.graph)[0] if _op(model.graph, name) == "MatMul"]
    if not layers:
        raise NnError("this net has no linear layers, and others cannot have only their weights in int8; use static")
    made = MatMulNBitsQuantizer(model, bits=8, block_size=BLOCK, is_symmetric=True, accuracy_level=4)
    made.process()
    cast(ONNXModel, made.model).save_model_to_file(str(target), False)
    return [f"int8 weights of {len(layers)} linear layers (ONNX Runtime, MatMulNBits)"]


def _inside(graph: Any) -> tuple[list[str], set[str]]:
    """The names of the layers with weights, and of these and all nodes between two of them."""
    constant = {tensor.name for tensor in graph.initializer}
    layers = [n for n in graph.node if n.op_type in LAYERS and not constant.isdisjoint(n.input[:2])]
    after, before = {name for n in layers for name in n.output}, {name for n in layers for name in n.input}
    for node in graph.node:  # in the order of computation
        if not after.isdisjoint(node.input):
            after |= set(node.output)
    for node in reversed(graph.node):
        if not before.isdisjoint(node.output):
            before |= set(node.input)
    between = {n.name for n in graph.node if not after.isdisjoint(n.input) and not before.isdisjoint(n.output)}
    mixed = {n.name for n in graph.node if n.op_type in LAYERS} - {n.name for n in layers}  # such as attention
    return [n.name for n in layers], (between - mixed) | {n.name for n in layers}


def _op(graph: Any, name: str) -> str:
    return next(node.op_type for node in graph.node if node.name == name)


def _pool_last(graph: Any) -> None:
    """Put each Relu before the MaxPool that feeds it, with the same result: only then both fuse with the layer."""
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for pool in graph.node:
        (relu, *others) = readers.get(pool.output[0], [pool])
        if pool.op_type != "MaxPool" or relu.op_type != "Relu" or others or len(pool.output) > 1:
            continue
        first, second = type(pool)(), type(pool)()
        first.CopyFrom(relu)
        second.CopyFrom(pool)
        first.input[:], first.output[:] = pool.input, pool.output
        second.input[:], second.output[:] = relu.input, relu.output
        pool.CopyFrom(first)
        relu.CopyFrom(second)
    del graph.value_info[:]  # the shapes between them have changed


def _reader(name: str, batches: Sequence[np.ndarray]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Batches(CalibrationDataReader):
        """The calibration samples, once."""

        def __init__(self) -> None:
            self.rest: Iterator[np.ndarray] = iter(batches)

        def get_next(self) -> Any:
            batch = next(self.rest, None)
            return None if batch is None else {name: batch}

    return Batches()


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the library's advice, which is about steps that are done here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        logging.disable(before)
