"""LiteRT: a file that nn wrote opens in its runtime; with litert-torch installed, every kind of net is written."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncli
from nncli.contracts import Form
from nncli.errors import NnError
from nncli.export.acceptance import failures
from nncli.export.check import recheck
from nncli.export.export import export
from nncli.export.files import Exported, open_file, read_card
from nncli.export.formats import Options, litert
from nncli.export.probe import probe
from nncli.run.folder import RunFolder
from tests.export.formats.test_openvino import NETS, WORDS, texts

WINE = Path(__file__).parent / "wine_mlp.tflite"
ONE = np.array([[13.2, 1.8, 2.7, 11.2, 100, 2.6, 2.8, 0.3, 1.3, 4.4, 1.0, 3.4, 1050]], np.float32)


def test_a_file_gives_the_answers_of_its_run_for_batches_of_any_size() -> None:
    pytest.importorskip("ai_edge_litert")
    file = open_file(WINE)
    assert file.card["input"]["shape"] == [1, 13]
    expected = np.array(file.card["answers"], np.float32)
    assert np.abs(file(probe(file.card, len(expected)))["probabilities"] - expected).max() < 1e-5
    assert file(ONE)["probabilities"].argmax() == 0
    assert failures(recheck(WINE)) == []


def test_the_card_is_an_archive_behind_the_net_as_names_of_classes_are_in_this_format() -> None:
    with zipfile.ZipFile(WINE) as archive:
        assert json.loads(archive.read("nn/extra/nn.json")) == read_card(WINE)
    assert WINE.read_bytes()[4:8] == b"TFL3"


@pytest.mark.parametrize("content", [b"", b"TFL3" * 100])
def test_a_file_that_nn_did_not_write_is_refused(content: bytes) -> None:
    Path("x.tflite").write_bytes(content)
    with pytest.raises(NnError, match="not exported by nn"):
        open_file(Path("x.tflite"))


def test_a_broken_net_is_refused() -> None:
    pytest.importorskip("ai_edge_litert")
    with zipfile.ZipFile("x.tflite", "w") as archive:
        archive.writestr("nn/extra/nn.json", json.dumps(read_card(WINE)))
    with pytest.raises(NnError, match="cannot be opened by LiteRT"):
        open_file(Path("x.tflite"))


def test_texts_are_padded_to_the_length_of_the_net(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `load` pads them, before the runtime is called."""
    pytest.importorskip("ai_edge_litert")
    card: Any = {"input": {"shape": [1, 5], "dtype": "int64"}, "outputs": [{"name": "n"}]}
    seen: list[np.ndarray] = []

    class Interpreter:
        def __init__(self, model_path: str) -> None: ...
        def allocate_tensors(self) -> None: ...
        def get_signature_runner(self) -> "Interpreter":
            return self

        def get_input_details(self) -> dict[str, object]:
            return {"text": None}

        def __call__(self, text: np.ndarray) -> dict[str, np.ndarray]:
            seen.append(text)
            return {"n": text.sum(1)}

    monkeypatch.setattr("ai_edge_litert.interpreter.Interpreter", Interpreter)
    monkeypatch.setattr(litert, "card", lambda _: card)
    answers = Exported(WINE, card, litert.load(WINE))(np.array([[3, 4], [5, 0]]))
    assert answers["n"].tolist() == [7, 5]
    assert [one.tolist() for one in seen] == [[[3, 4, 0, 0, 0]], [[5, 0, 0, 0, 0]]]


@pytest.mark.parametrize("option", ["half", "dynamic"])
def test_options_that_it_does_not_have_are_refused(option: str, trained: RunFolder) -> None:
    options = Options(half=option == "half", dynamic=option == "dynamic")
    with pytest.raises(NnError, match=f"--{option} has no effect with --to litert"):
        export(trained.path, "litert", Path("x.tflite"), options=options)


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    trained: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for to, package in (("litert", "litert_torch"), ("openvino", "openvino"), ("onnx", "onnx")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(NnError, match=rf"needs {package}: pip install 'nncli\[{to}\]'"):
            export(trained.path, to)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NETS)
def test_each_kind_of_net_is_written_exactly(kind: str) -> None:
    pytest.importorskip("litert_torch")
    texts()
    run = nncli.fit([*NETS[kind], *WORDS, "run_dir=run"], show="quiet")
    for options in (Options(), Options(batch=3)):
        report = export(run.path, "litert", Path("net.tflite"), which="last", options=options, timed=False)
        assert report["batches"] == [options.batch or 1]
        assert report["largest_difference"] <= report["allowed_difference"]
        assert failures(recheck(Path("net.tflite"))) == []


@pytest.mark.slow
def test_what_is_printed_past_python_stays_out_of_sight(trained: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("litert_torch")
    export(trained.path, "litert", Path("digits.tflite"), timed=False)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_a_net_that_cannot_be_converted_is_told(trained: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("litert_torch")
    from torch import Tensor, nn

    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.float().flatten(1) * float(x.sum())  # a number that is only known when it runs

    monkeypatch.setattr("nncli.export.export._copied", lambda *_: Form(Odd(), ("probabilities",)))
    with pytest.raises(NnError, match="cannot be written for LiteRT"):
        export(trained.path, "litert", Path("digits.tflite"))
    assert not Path("digits.tflite").exists()
