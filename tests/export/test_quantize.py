"""Quantized files: smaller, about the same answers, the same inputs and metadata; what cannot be is refused."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import nncli
from nncli.errors import NnError
from nncli.export import measure
from nncli.export.acceptance import failures, monitored
from nncli.export.check import recheck
from nncli.export.export import export
from nncli.export.files import open_file, read_card
from nncli.export.formats import How, Options
from nncli.export.prune import pruned
from nncli.export.quantize import _pool_last, quantize
from nncli.models.tokens import TokenWindow
from nncli.models.vit import ViT
from nncli.run.folder import RunFolder
from tests.conftest import Nn

QUICK: dict[str, Any] = {"timed": False}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test compares speeds."""
    monkeypatch.setattr(measure, "SECONDS", 0.001)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A convolutional net that knows its digits."""
    folder = tmp_path_factory.mktemp("trained") / "digits"
    words = ["model=cnn", "model.channels=[16,64]", "model.hidden=128", "trainer.max_epochs=4"]
    return nncli.fit([*words, "trainer.precision=32", f"run_dir={folder}"], show="quiet")


@pytest.fixture(scope="module")
def whole(trained: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("whole") / "digits.onnx"
    export(trained.path, "onnx", file, **QUICK)
    return file


@pytest.mark.parametrize(("how", "smaller"), [("static", 2.9), ("dynamic", 1.6), ("weight-only", 1.6)])
def test_a_quantized_file_is_smaller_and_about_as_accurate(
    how: How, smaller: float, trained: RunFolder, whole: Path
) -> None:
    report = export(trained.path, "onnx", Path("small.onnx"), options=Options(quantize=how), **QUICK)
    assert whole.stat().st_size / report["bytes"] > smaller
    accuracy = report["metrics"]["accuracy"]
    assert accuracy["before"] > 0.9
    assert accuracy["after"] == pytest.approx(accuracy["before"], abs=0.01)
    assert 1e-5 < report["largest_difference"] < 0.2
    card = read_card(Path("small.onnx"))
    assert {**read_card(whole), "precision": "8", "tolerance": None} == card
    assert recheck(Path("small.onnx"), fast=True)["metrics"]["accuracy"] == accuracy


def test_raw_pixels_go_in_and_exact_probabilities_come_out(trained: RunFolder) -> None:
    export(trained.path, "onnx", Path("small.onnx"), options=Options(quantize="static"), **QUICK)
    session = onnxruntime.InferenceSession("small.onnx")
    x = np.random.default_rng(0).integers(0, 17, (5, 1, 8, 8), dtype=np.uint8)
    answers = np.asarray(session.run(["probabilities"], {"image": x})[0])
    assert answers.sum(axis=1) == pytest.approx(1, abs=1e-6), "the softmax is not quantized"
    brighter = np.asarray(session.run(["probabilities"], {"image": x * 10})[0])
    assert np.abs(brighter - answers).max() > 0.01


def test_a_fixed_batch_size_is_calibrated_with_that_size(trained: RunFolder) -> None:
    report = export(trained.path, "onnx", Path("b.onnx"), options=Options(batch=48, quantize="static"), **QUICK)
    assert report["batches"] == [48]
    assert "calibrated on 480 training samples" in report["notes"][0]


def saved(net: nn.Module, example: torch.Tensor) -> Path:
    torch.onnx.export(
        net.eval(),
        (example,),
        "net.onnx",
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        verbose=False,
    )
    return Path("net.onnx")


def weights(file: Path) -> int:
    return sum(onnx.numpy_helper.to_array(tensor).nbytes for tensor in onnx.load(file).graph.initializer)


def answers(file: Path, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(file)
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0])


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")
@pytest.mark.parametrize("how", ["static", "dynamic", "weight-only"])
@pytest.mark.parametrize(
    ("make", "x"),
    [
        (lambda: ViT([1, 8, 8], 10, 4, 32, 2, 2, 4.0, "mean", 0.0, 0.0), torch.randn(64, 1, 8, 8)),
        (lambda: TokenWindow([6], 50, 50, 16, 64, 0.0), torch.randint(0, 50, (64, 6))),
    ],
)
def test_attention_and_embeddings_survive(how: How, make: Callable[[], nn.Module], x: torch.Tensor) -> None:
    torch.manual_seed(0)
    file = saved(make(), x)
    quantize(file, Path("small.onnx"), how, [x.numpy()])
    ours, theirs = answers(file, x.numpy()), answers(Path("small.onnx"), x.numpy())
    assert 0 < np.abs(ours - theirs).mean() < 0.03 * ours.std()
    assert weights(Path("small.onnx")) < 0.6 * weights(file)


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")
def test_relu_is_moved_before_the_pooling_that_feeds_it() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.MaxPool2d(2), nn.Tanh())
    file, x = saved(net, torch.randn(2, 1, 16, 16)), torch.randn(3, 1, 16, 16).numpy()
    before, model = answers(file, x), onnx.load(file)
    _pool_last(model.graph)
    assert [node.op_type for node in model.graph.node] == ["Conv", "Relu", "MaxPool", "Conv", "MaxPool", "Tanh"]
    onnx.checker.check_model(model)
    onnx.save(model, file)
    assert np.array_equal(answers(file, x), before)


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")
@pytest.mark.parametrize("how", ["dynamic", "weight-only"])
def test_a_net_of_convolutions_is_refused_where_it_would_be_slower(how: How) -> None:
    file = saved(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten()), torch.randn(2, 1, 8, 8))
    with pytest.raises(NnError, match=r"has no linear layers.* static"):
        quantize(file, Path("small.onnx"), how)
    assert not Path("small.onnx").exists()


@pytest.mark.parametrize(
    ("to", "options", "said"),
    [
        ("pt2", Options(quantize="static"), "--quantize static needs --to onnx; got --to pt2"),
        ("torchscript", Options(quantize="weight-only"), "needs --to onnx or --to pt2; got --to torchscript"),
        ("onnx", Options(half=True, quantize="static"), "--quantize and --half exclude each other"),
    ],
)
def test_what_a_format_cannot_have_is_refused(to: str, options: Options, said: str, trained: RunFolder) -> None:
    with pytest.raises(NnError, match=said):
        export(trained.path, to, options=options)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "onnx", "--opset", "7"], "--opset is 7; it must be 18 to"),
        (["--to", "onnx", "--quantize", "int8"], "--quantize is int8; it must be dynamic, static or weight-only"),
        (["--to", "pt2", "--quantize", "static"], "--quantize static needs --to onnx; got --to pt2"),
        (["--to", "onnx", "--which", "last"], "it cannot be used with --which last"),
        (["--to", "onnx", "--form", "nothing"], "--form is nothing"),
        (["--to", "onnx", "--to", "pt2", "--opset", "18"], "--opset has no effect with --to pt2"),
        (["--to", "onnx", "--out", "no/x.onnx"], "the folder no does not exist"),
        (["--to", "tensorrt"], "pip install tensorrt"),
    ],
)
def test_what_cannot_be_exported_is_refused_before_a_pruned_net_is_trained(
    words: list[str], said: str, trained: RunFolder, nn: Nn
) -> None:
    done = nn("export", str(trained.path), *words, "--prune", "0.5")
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert not list(Path().iterdir())


def test_an_export_of_the_whole_net_is_not_replaced_by_a_pruned_one(trained: RunFolder, nn: Nn) -> None:
    export(trained.path, "onnx", Path("x.onnx"), **QUICK)
    done = nn("export", str(trained.path), "--to", "onnx", "--out", "x.onnx", "--prune", "0.5")
    assert (done.returncode, "x.onnx exists and is an export of" in done.stderr) == (1, True), done.stderr
    assert not Path("runs").exists()


def test_an_error_may_grow_by_a_share_of_itself_and_a_score_may_fall_by_a_hundredth() -> None:
    def task(name: str, better: str) -> SimpleNamespace:
        return SimpleNamespace(monitor=f"val/{name}", metrics={name: better})

    error = monitored(task("rmse", "min"), {"rmse": {"before": 0.0002, "after": 0.00021}})
    assert error["worse_by"] == pytest.approx(error["allowed"])
    error = monitored(task("rmse", "min"), {"rmse": {"before": 0.0002, "after": 0.001}})
    assert error["worse_by"] > error["allowed"]
    score = monitored(task("accuracy", "max"), {"accuracy": {"before": 0.9, "after": 0.88}})
    assert score["worse_by"] == pytest.approx(0.02)
    assert score["worse_by"] > score["allowed"]
    assert monitored(task("accuracy", "max"), {"accuracy": {"before": None, "after": 0.88}}) == {}


@pytest.mark.parametrize("which", ["best", "last"])
def test_8_bit_weights_are_judged_by_their_metric_where_the_run_is_not(
    which: Any, trained: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(trained.path, "onnx", Path("x.onnx"), which=which, options=Options(quantize="static"), **QUICK)
    here = recheck(Path("x.onnx"))
    monkeypatch.setattr("nncli.export.check._run_of", lambda *_: (None, "it is not here"))
    away = recheck(Path("x.onnx"))
    assert failures(here) == failures(away) == []
    assert away["metrics"] == here["metrics"]
    model, card = onnx.load("x.onnx"), read_card(Path("x.onnx"))
    card["metrics"]["accuracy"] += 0.02
    onnx.helper.set_model_props(model, {"nn": json.dumps(card)})
    onnx.save(model, "x.onnx")
    assert "make accuracy worse by" in failures(recheck(Path("x.onnx")))[0]


def test_calibration_needs_the_data(tmp_path: Path) -> None:
    Path("x.csv").write_text(
        "a,b,y\n" + "".join(f"{n % 7},{n % 5},{'yes' if n % 7 > 3 else 'no'}\n" for n in range(99))
    )
    words = ["data=csv", "data.path=x.csv", "data.target=y", "trainer.max_epochs=1", "trainer.precision=32"]
    run = nncli.fit([*words, "run_dir=run"], show="quiet")
    Path("x.csv").unlink()
    with pytest.raises(NnError, match="--quantize static is calibrated on the training data, which cannot be loaded"):
        export(run.path, "onnx", options=Options(quantize="static"))
    with pytest.raises(NnError, match="no metric shows whether 8-bit weights are as good; --tolerance states"):
        export(run.path, "onnx", Path("x.onnx"), options=Options(quantize="dynamic"), **QUICK)
    assert not Path("x.onnx").exists()
    export(run.path, "onnx", Path("x.onnx"), options=Options(quantize="dynamic"), tolerance=0.5, **QUICK)
    assert failures(recheck(Path("x.onnx"))) == []


def test_badly_calibrated_weights_are_refused(trained: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    dark = [np.zeros((64, 1, 8, 8), np.uint8)]
    monkeypatch.setattr("nncli.export.quantize.calibration", lambda *_: dark)
    with pytest.raises(NnError, match=r"not written: 8-bit weights make accuracy worse by 0\.\d+; 0\.01 is"):
        export(trained.path, "onnx", Path("small.onnx"), options=Options(quantize="static"), **QUICK)
    assert not list(Path().iterdir())


# torchao's import warns of what torch 2.13 has deprecated
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_pt2_has_int8_weights_by_torchao_and_opens_without_it(trained: RunFolder, whole: Path) -> None:
    small = Options(quantize="weight-only")
    report = export(trained.path, "pt2", Path("small.pt2"), options=small, **QUICK)
    export(trained.path, "pt2", Path("whole.pt2"), **QUICK)
    assert report["bytes"] < 0.75 * Path("whole.pt2").stat().st_size
    assert report["metrics"]["accuracy"]["after"] == pytest.approx(report["metrics"]["accuracy"]["before"], abs=0.01)
    x = np.random.default_rng(0).integers(0, 17, (3, 1, 8, 8), dtype=np.uint8)
    np.save("x.npy", x)
    program = (
        "import sys; sys.modules['torchao'] = None\n"
        "import json, numpy as np, torch\n"
        "net = torch.export.load('small.pt2').module()\n"
        "print(json.dumps(net(torch.from_numpy(np.load('x.npy'))).tolist()))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, capture_output=True, text=True)
    assert np.abs(np.array(json.loads(done.stdout)) - open_file(whole)(x)["probabilities"]).max() < 0.05


def test_the_weights_that_were_pruned_are_zero_in_the_file(trained: RunFolder) -> None:
    run = pruned(trained.path, 0.8, structured=False, epochs=1, quiet=True)
    report = export(run.path, "onnx", Path("sparse.onnx"), **QUICK)
    assert report["metrics"]["accuracy"]["after"] > 0.85
    tensors = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load("sparse.onnx").graph.initializer]
    matrices = [tensor for tensor in tensors if tensor.ndim > 1 and tensor.size > 100]
    assert sum((w == 0).sum() for w in matrices) / sum(w.size for w in matrices) == pytest.approx(0.8, abs=0.01)
    export(run.path, "safetensors", Path("sparse.safetensors"))
