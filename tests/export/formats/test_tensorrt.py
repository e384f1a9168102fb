"""TensorRT, without a GPU: what to install or to take instead, and the sizes of inputs that an engine is built for."""

import sys
from pathlib import Path

import pytest

from nncli.errors import NnError
from nncli.export.export import export
from nncli.export.formats.tensorrt import _sizes
from nncli.run.folder import RunFolder


def test_without_its_package_the_other_ways_are_named(trained: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(NnError) as caught:
        export(trained.path, "tensorrt")
    for told in ("pip install tensorrt", "--to onnx", "TensorrtExecutionProvider", "trtexec --onnx="):
        assert told in str(caught.value)
    assert list(Path().iterdir()) == []


def test_an_engine_takes_the_sizes_that_the_card_leaves_open() -> None:
    pictures = {"input": {"shape": [None, 1, 8, 8], "example": [1, 8, 8]}}
    assert [_sizes(pictures, batch) for batch in (1, 64)] == [(1, 1, 8, 8), (64, 1, 8, 8)]
    texts = {"input": {"shape": [None, None], "example": [256]}}
    assert [_sizes(texts, batch) for batch in (1, 64)] == [(1, 1), (64, 256)]
    assert _sizes({"input": {"shape": [4, None], "example": [256]}}, 64) == (4, 256)
