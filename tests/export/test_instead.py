"""A name that is no format gets the format to take."""

import pytest

from nncli.errors import NnError
from nncli.export import formats
from nncli.export.instead import OTHERS, SAME


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("SavedModel", "nn does not write it; take --to litert for phones and small computers, onnx for servers"),
        ("saved_model", "take --to litert"),
        (".h5", "take --to litert"),
        ("coreml", "take --to litert or onnx"),
        ("tfjs", "onnxruntime-web"),
        ("pt", "take --to pt2 or torchscript"),
        ("tflite", "did you mean litert?"),
        ("onx", "did you mean onnx?"),
        ("engin", "did you mean tensorrt?"),
        ("torch-mobile", "did you mean torchscript?"),
        ("qqq", "nn writes litert, onnx, openvino, pt2, safetensors, tensorrt, torchscript"),
    ],
)
def test_another_name_gets_the_format_to_take(name: str, told: str) -> None:
    with pytest.raises(NnError) as caught:
        formats.find(name)
    assert f"--to is {name}; " in str(caught.value)
    assert told in str(caught.value)


def test_only_formats_that_exist_are_advised() -> None:
    assert set(SAME.values()) <= set(formats.names())
    assert not {*SAME, *OTHERS} & set(formats.names())
