"""What to type in place of the name of a format that nn does not have."""

from collections.abc import Sequence
from difflib import get_close_matches

SAME = {  # other names, and suffixes, of the formats that nn has
    "tflite": "litert",
    "lite": "litert",
    "engine": "tensorrt",
    "trt": "tensorrt",
    "plan": "tensorrt",
    "ort": "onnx",
    "ir": "openvino",
    "xml": "openvino",
    "jit": "torchscript",
    "torchmobile": "torchscript",
    "pytorchmobile": "torchscript",
    "ptl": "torchscript",
    "aoti": "pt2",
    "weights": "safetensors",
}
_TORCH = "--to pt2 or torchscript for a file that computes, safetensors for the weights"
_KERAS = "--to litert for phones and small computers, onnx for servers and browsers"
_WEB = "--to onnx, which onnxruntime-web runs in a browser"
_APPLE = "--to litert or onnx; the runtimes of both use Core ML on Apple's devices"
_CHIPS = "--to onnx or litert, from which the tools of that format convert"
OTHERS = {  # formats that nn does not write, and what to take
    **dict.fromkeys(("pt", "pth", "pytorch", "torch", "ckpt", "pickle", "pkl"), _TORCH),
    **dict.fromkeys(("savedmodel", "tensorflow", "tf", "keras", "h5", "hdf5", "pb"), _KERAS),
    **dict.fromkeys(("tfjs", "tensorflowjs", "webgpu", "wasm"), _WEB),
    **dict.fromkeys(("coreml", "mlmodel", "mlpackage"), _APPLE),
    **dict.fromkeys(("ncnn", "mnn", "paddle", "edgetpu", "rknn", "executorch"), _CHIPS),
}


def instead(name: str, names: Sequence[str]) -> str:
    """What to say of a name that is none of these: the format to take, and all that there are."""
    word = name.lower().lstrip(".").replace("_", "").replace("-", "")
    every = f"nn writes {', '.join(names)}"
    if other := OTHERS.get(word):
        return f"nn does not write it; take {other}\n  {every}"
    near = SAME.get(word) or next(iter(get_close_matches(word, [*names, *SAME], n=1)), "")
    return f"did you mean {SAME.get(near, near)}? {every}" if near else every
