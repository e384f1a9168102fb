"""Exported files: the same answers as the run, also in a program without nn; what is broken or hostile is caught."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import nncli
from nncli.contracts import Form
from nncli.errors import NnError
from nncli.export import export as exporting
from nncli.export.acceptance import Comparison, accept, failures
from nncli.export.check import judged_file, recheck
from nncli.export.export import export
from nncli.export.files import Exported, open_file, read_card
from nncli.export.formats import Options, dynamic_shapes
from nncli.run.eval import judged
from nncli.run.folder import RunFolder
from tests.conftest import Begin, Nn

QUICK: dict[str, Any] = {"timed": False}


@pytest.fixture
def file(trained: RunFolder) -> Path:
    export(trained.path, "onnx", Path("digits.onnx"), **QUICK)
    return Path("digits.onnx")


def test_raw_pixels_give_the_answers_of_the_run_on_the_whole_test_part(trained: RunFolder, file: Path) -> None:
    from nncli.run.restore import restore

    _, parts = restore(trained, ["trainer.precision=32"])
    x, y = parts.data.parts["test"].span(0, 10_000)
    assert x.dtype == torch.uint8
    session = onnxruntime.InferenceSession(file)
    found = np.asarray(session.run(["probabilities"], {"image": x.numpy()})[0])
    with torch.no_grad():
        assert np.abs(parts.task.eval().predict(x).numpy() - found).max() < 1e-5
    metrics = judged([trained], ["trainer.precision=32"])["metrics"]
    assert (found.argmax(1) == y.numpy()).mean() == pytest.approx(metrics["test/accuracy"])
    assert metrics["test/accuracy"] > 0.9, "a net that has learned nothing would show nothing"


def test_a_file_is_evaluated_like_its_run(trained: RunFolder, file: Path, nn: Nn) -> None:
    expected = judged([trained], ["trainer.precision=32"])["metrics"]
    assert judged_file(file)["metrics"] == pytest.approx(expected, abs=1e-5)
    done = nn("eval", "digits.onnx", "--json")
    assert json.loads(done.stdout)["metrics"] == pytest.approx(expected, abs=1e-5)


def test_the_metadata_says_what_goes_in_and_out_and_where_it_comes_from(trained: RunFolder, file: Path) -> None:
    card = read_card(file)
    assert card["classes"] == [str(number) for number in range(10)]
    assert card["input"]["shape"] == [None, 1, 8, 8]
    assert card["run"] == trained.name
    assert card["weights"] == (trained.checkpoints / "best.ckpt").resolve().read_bytes()[-32:].hex()
    assert card["opset"] == onnx.load(file).opset_import[0].version
    report = json.loads(Path("digits.onnx.json").read_text())
    assert report["bytes"] == file.stat().st_size
    assert report["metrics"]["accuracy"]["before"] == report["metrics"]["accuracy"]["after"]


def test_torchscript_runs_where_there_is_no_nn(trained: RunFolder) -> None:
    export(trained.path, "torchscript", Path("digits.torchscript"), **QUICK)
    x = np.random.default_rng(0).integers(0, 17, (3, 1, 8, 8), dtype=np.uint8)
    np.save("x.npy", x)
    program = (
        "import sys; sys.modules['nncli'] = None\n"
        "import numpy as np, torch\n"
        "net = torch.jit.load('digits.torchscript')\n"
        "np.save('y.npy', net(torch.from_numpy(np.load('x.npy'))).numpy())\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
    expected = nncli.load(trained.path).task.predict(torch.from_numpy(x))
    assert np.abs(np.load("y.npy") - expected.detach().numpy()).max() < 1e-5


class Broken(nn.Module):
    """A form's module on inputs that are changed first."""

    def __init__(self, inner: nn.Module, how: str) -> None:
        super().__init__()
        self.inner, self.how = inner, how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.how == "transposed":
            return self.inner(x.transpose(2, 3))
        if self.how == "normalized twice":
            return self.inner((x.float() / 2).round().to(torch.uint8))
        return self.inner(x).flip(1)  # the classes in another order


@pytest.mark.parametrize("how", ["transposed", "normalized twice", "other order"])
def test_a_broken_export_is_caught_and_leaves_no_file(
    how: str, trained: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = exporting._copied

    def broken(*arguments: Any) -> Form:
        form = made(*arguments)
        return Form(Broken(form.module, how), form.outputs)

    monkeypatch.setattr(exporting, "_copied", broken)
    with pytest.raises(NnError, match="was not written: its answers differ"):
        export(trained.path, "onnx", Path("digits.onnx"), **QUICK)
    assert os.listdir() == []


def test_swapped_names_of_classes_are_caught(trained: RunFolder, file: Path) -> None:
    model = onnx.load(file)
    card = json.loads(model.metadata_props[0].value)
    card["classes"][3], card["classes"][4] = card["classes"][4], card["classes"][3]
    onnx.helper.set_model_props(model, {"nn": json.dumps(card)})
    onnx.save(model, file)
    assert failures(recheck(file)) == ["its names of classes are not those of the data, in this order"]


def test_a_file_is_checked_again_where_its_run_is_not(
    trained: RunFolder, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.export.check._run_of", lambda *_: (None, "it is not here"))
    report = recheck(file)
    assert failures(report) == []
    assert "made-up" in report["samples"]
    assert report["metrics"]["accuracy"]["after"] > 0.9
    assert report["metrics"]["accuracy"]["before"] == report["metrics"]["accuracy"]["after"]
    model = onnx.load(file)
    weight = next(one for one in model.graph.initializer if len(one.dims) == 2)
    values = onnx.numpy_helper.to_array(weight).copy()
    values[0] += 1
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save(model, file)
    assert "differ" in failures(recheck(file))[0]


def test_swapped_names_are_caught_where_the_run_is_not(file: Path, monkeypatch: pytest.MonkeyPatch, nn: Nn) -> None:
    monkeypatch.setattr("nncli.export.check._run_of", lambda *_: (None, "it is not here"))
    model = onnx.load(file)
    card = json.loads(model.metadata_props[0].value)
    onnx.helper.set_model_props(model, {"nn": json.dumps(card | {"classes": card["classes"][::-1]})})
    onnx.save(model, file)
    assert failures(recheck(file)) == ["its names of classes are not those of the data, in this order"]
    done = nn("eval", file.name)
    assert (done.returncode, "names of classes" in done.stderr) == (1, True)


def test_half_precision_is_smaller_and_close(trained: RunFolder, file: Path) -> None:
    report = export(trained.path, "onnx", Path("half.onnx"), options=Options(half=True), **QUICK)
    whole = json.loads(Path("digits.onnx.json").read_text())
    weights = sum(p.numel() for p in nncli.load(trained.path).task.net.parameters())
    assert whole["bytes"] - report["bytes"] > 1.6 * weights
    assert 0 < report["mean_difference"] < report["largest_difference"] < 0.01


def test_a_file_is_run_with_batches_of_1_3_and_64(trained: RunFolder, file: Path) -> None:
    sizes, opened = list[int](), open_file(file)

    def recorded(x: np.ndarray) -> Any:
        sizes.append(len(x))
        assert len(x) != 3 or not refused, "a file that does not take three"
        return opened.run(x)

    task, refused = nncli.load(trained.path).task, False
    watched = Exported(file, opened.card, recorded)
    accept(watched, task, task.forms()["predict"], None, tolerance=1e-4, timed=False)
    assert sizes[-3:] == [1, 3, 64]
    refused = True
    with pytest.raises(AssertionError, match="does not take three"):
        accept(watched, task, task.forms()["predict"], None, tolerance=1e-4, timed=False)


def test_a_fixed_batch_is_filled_and_cut(trained: RunFolder) -> None:
    export(trained.path, "onnx", Path("four.onnx"), options=Options(batch=4), **QUICK)
    assert onnxruntime.InferenceSession("four.onnx").get_inputs()[0].shape == [4, 1, 8, 8]
    x = np.random.default_rng(0).integers(0, 17, (6, 1, 8, 8), dtype=np.uint8)
    found = open_file(Path("four.onnx"))(x)["probabilities"]
    with torch.no_grad():
        assert np.abs(nncli.load(trained.path).task.predict(torch.from_numpy(x)).numpy() - found).max() < 1e-5


def test_images_of_any_size_where_the_net_takes_them(tmp_path: Path) -> None:
    words = ["recipe=digits_resnet", "model.width=4", "trainer.max_steps=2", "test=false", f"run_dir={tmp_path / 'r'}"]
    run = nncli.fit(words, show="quiet")
    export(run.path, "onnx", Path("any.onnx"), which="last", options=Options(dynamic=True), **QUICK)
    x = np.random.default_rng(0).integers(0, 17, (2, 1, 12, 10), dtype=np.uint8)
    (found,) = onnxruntime.InferenceSession("any.onnx").run(None, {"image": x})
    with torch.no_grad():
        expected = nncli.load(run.path, which="last").task.predict(torch.from_numpy(x)).numpy()
    assert np.abs(found - expected).max() < 1e-5


def test_an_opset_is_chosen_and_one_that_does_not_exist_is_refused(trained: RunFolder) -> None:
    export(trained.path, "onnx", Path("d.onnx"), options=Options(opset=18), **QUICK)
    assert onnx.load("d.onnx").opset_import[0].version == 18
    with pytest.raises(NnError, match="--opset is 7; it must be 18 to"):
        export(trained.path, "onnx", Path("e.onnx"), options=Options(opset=7), **QUICK)


def test_the_embedding_is_what_the_last_layer_gets(trained: RunFolder) -> None:
    export(trained.path, "onnx", Path("e.onnx"), form="embedding", **QUICK)
    x = np.random.default_rng(0).integers(0, 17, (5, 1, 8, 8), dtype=np.uint8)
    found = open_file(Path("e.onnx"))(x)["embedding"]
    task = nncli.load(trained.path).task
    head = [layer for layer in task.net.modules() if isinstance(layer, nn.Linear)][-1]
    with torch.no_grad():
        assert torch.allclose(head(torch.from_numpy(found)), task(torch.from_numpy(x)), atol=1e-4)


def test_the_weights_alone_start_another_run(trained: RunFolder) -> None:
    export(trained.path, "safetensors", Path("w.safetensors"), **QUICK)
    words = [
        "model.init_from=w.safetensors",
        "trainer.max_steps=1",
        "optimizer.lr=1e-12",
        "test=false",
    ]
    new = nncli.fit(words, show="quiet")
    ours, theirs = nncli.load(trained.path).task.net, nncli.load(new.path, which="last").task.net
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    with pytest.raises(NnError, match="holds weights only"):
        open_file(Path("w.safetensors"))


@pytest.mark.parametrize("to", ["onnx", "pt2"])
def test_a_file_has_no_paths_of_the_machine_that_wrote_it(to: str, trained: RunFolder) -> None:
    export(trained.path, to, Path(f"d.{to}"), **QUICK)
    assert str(Path(torch.__file__).parent).encode() not in Path(f"d.{to}").read_bytes()
    assert str(Path(nncli.__file__).parent).encode() not in Path(f"d.{to}").read_bytes()


def test_files_that_could_run_code_are_opened_only_if_nn_wrote_them_here(trained: RunFolder, nn: Nn) -> None:
    for name in ("torchscript", "pt2"):
        path = Path(f"digits.{name}")
        export(trained.path, name, path, **QUICK)
        assert open_file(path)(np.zeros((1, 1, 8, 8), np.uint8))["probabilities"].shape == (1, 10)
        changed = Path(f"changed.{name}")
        changed.write_bytes(path.read_bytes() + b"!")
        with pytest.raises(NnError, match="--trust-file"):
            open_file(changed)
        elsewhere = {"NN_CACHE": str(Path("other-cache").absolute())}  # as on another machine
        for words in (["eval", path.name], ["export", "--check", path.name]):
            done = nn(*words, **elsewhere)
            assert (done.returncode, "--trust-file" in done.stderr) == (1, True)
        assert nn("eval", path.name, "--trust-file", **elsewhere).returncode == 0


def test_a_pickle_in_the_clothes_of_an_export_runs_nothing(trained: RunFolder) -> None:
    export(trained.path, "torchscript", Path("real.torchscript"), **QUICK)
    card = json.dumps(read_card(Path("real.torchscript")))
    for suffix in ("torchscript", "pt2"):
        with zipfile.ZipFile(f"evil.{suffix}", "w") as archive:
            archive.writestr("evil/extra/nn.json", card)
            archive.writestr("evil/data.pkl", b"cos\nsystem\n(S'touch owned'\ntR.")
        with pytest.raises(NnError, match="--trust-file"):
            open_file(Path(f"evil.{suffix}"))
    assert not Path("owned").exists()


@pytest.mark.parametrize("place", ["../secret.bin", "/etc/hostname"])
def test_weights_outside_the_folder_of_a_file_are_not_read(place: str, file: Path) -> None:
    folder = Path("inner")
    folder.mkdir()
    Path("secret.bin").write_bytes(bytes(4096))
    model = onnx.load(file)
    weight = model.graph.initializer[0]
    size = len(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", place), ("offset", "0"), ("length", str(size))):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(NnError, match=r"cannot be opened by ONNX Runtime: .*External data path"):
        open_file(folder / "m.onnx")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("input", {"shape": [10**9, 1, 8, 8], "example": [1, 8, 8]}),
        ("input", {"shape": [None], "example": [3, 10**6, 10**6]}),
        ("samples", {"kind": "image", "shape": [3, 10**6, 10**6]}),
        ("facts", None),
        ("run", None),
        ("buffers", []),
        ("outputs", [{}]),
        ("classes", [1] * 10),
        ("tolerance", "x"),
        ("metrics", {"accuracy": "x"}),
        ("input", {"shape": [None, 1, 8, 8], "example": [1, 8, 8], "dtype": "zz", "span": 17}),
        ("samples", {}),
    ],
)
def test_metadata_that_nn_does_not_write_is_refused(key: str, value: Any, file: Path) -> None:
    model = onnx.load(file)
    card = json.loads(model.metadata_props[0].value) | {key: value}
    onnx.helper.set_model_props(model, {"nn": json.dumps(card)})
    onnx.save(model, file)
    with pytest.raises(NnError, match=f"its metadata has no valid {key}"):
        open_file(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [("answers", ["x"]), ("answers", [[1]]), ("buffers", {"a.b": 1})],
)
def test_a_file_with_odd_metadata_is_not_checked(
    key: str, value: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.export.check._run_of", lambda *_: (None, "it is not here"))
    model = onnx.load(file)
    card = json.loads(model.metadata_props[0].value) | {key: value}
    onnx.helper.set_model_props(model, {"nn": json.dumps(card)})
    onnx.save(model, file)
    with pytest.raises(NnError, match="cannot be compared by its metadata"):
        recheck(file)


def test_words_of_a_check_reach_the_data_where_the_run_is_here(trained: RunFolder, nn: Nn) -> None:
    shutil.copytree(trained.path, "copy")
    export("copy", "onnx", Path("d.onnx"), **QUICK)
    done = nn("export", "--check", "d.onnx", "data.nonsense=3")
    assert (done.returncode, "no such key" in done.stderr) == (1, True)
    other = Path("copy/checkpoints/best.ckpt").read_bytes()
    Path("copy/checkpoints/best.ckpt").write_bytes(other[:-1] + bytes([other[-1] ^ 1]))
    assert "copy has other weights now" in recheck(Path("d.onnx"))["samples"]


def test_a_file_that_came_in_between_is_kept(trained: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    real = exporting.compared

    def slow(*arguments: Any, **how: Any) -> dict[str, Any]:
        Path("x.onnx").write_text("precious")
        return real(*arguments, **how)

    monkeypatch.setattr(exporting, "compared", slow)
    with pytest.raises(NnError, match="exists and was not exported by nn"):
        export(trained.path, "onnx", Path("x.onnx"), **QUICK)
    assert Path("x.onnx").read_text() == "precious"
    assert os.listdir() == ["x.onnx"]


@pytest.mark.parametrize("text", ["{bad", "[1]", "[" * 100_000, "3"])
def test_metadata_that_is_no_card_is_refused(text: str, trained: RunFolder, file: Path) -> None:
    model = onnx.load(file)
    onnx.helper.set_model_props(model, {"nn": text})
    onnx.save(model, file)
    with pytest.raises(NnError, match=r"digits\.onnx: its metadata cannot be read|was not exported by nn"):
        open_file(file)
    with pytest.raises(NnError, match="was not exported by nn"):
        export(trained.path, "onnx", file, **QUICK)


def test_nothing_is_left_beside_a_file_whose_name_has_brackets(trained: RunFolder) -> None:
    with pytest.raises(NnError, match="its answers differ"):
        export(trained.path, "onnx", Path("m[1].onnx"), tolerance=0.0, **QUICK)
    assert os.listdir() == []


def test_an_infinite_answer_allows_no_difference() -> None:
    gap = Comparison()
    gap.add(np.array([[np.inf], [1.0]]), np.array([[5.0], [900.0]]))
    assert gap.largest > 1e300
    assert gap.scale == 1.0


def test_only_an_export_of_the_same_run_is_replaced(trained: RunFolder, file: Path, tmp_path: Path) -> None:
    export(trained.path, "onnx", file, **QUICK)
    Path("mine.onnx").write_text("precious")
    with pytest.raises(NnError, match=r"mine\.onnx exists and was not exported by nn"):
        export(trained.path, "onnx", Path("mine.onnx"), **QUICK)
    assert Path("mine.onnx").read_text() == "precious"
    Path("new.onnx.json").write_text('{"precious": true}')
    with pytest.raises(NnError, match=r"new\.onnx\.json exists and is no report of nn"):
        export(trained.path, "onnx", Path("new.onnx"), **QUICK)
    assert Path("new.onnx.json").read_text() == '{"precious": true}'
    file.unlink()
    export(trained.path, "onnx", file, **QUICK)
    other = nncli.fit(["model.width=8", "trainer.max_steps=2", "test=false"], show="quiet")
    with pytest.raises(NnError, match="is an export of"):
        export(other.path, "onnx", file, which="last", **QUICK)
    for out, why in (("m.pt2", r"ends in \.onnx"), ("no/m.onnx", "does not exist")):
        with pytest.raises(NnError, match=why):
            export(trained.path, "onnx", Path(out), **QUICK)


def test_a_run_whose_data_is_gone_is_exported_and_the_report_says_what_is_missing(tmp_path: Path) -> None:
    np.savez("a.npz", x=np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32), y=np.arange(60) % 2)
    words = ["data=arrays", "data.path=a.npz", "data.batch_size=10", "trainer.max_steps=3", "test=false", "run_dir=r"]
    nncli.fit(words, show="quiet")
    Path("a.npz").unlink()
    report = export("r", "onnx", Path("a.onnx"), which="last", **QUICK)
    assert report["samples"] == "256 made-up samples"
    assert report["metrics"] == {}
    assert "a.npz" in report["not_compared"]
    assert Path("a.onnx").is_file()


@pytest.mark.parametrize("to", ["onnx", "torchscript", "pt2", "safetensors"])
def test_a_full_disk_is_said_and_leaves_nothing(to: str, trained: RunFolder, tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys; from nncli.__main__ import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        f"sys.argv = ['nn', 'export', {str(trained.path)!r}, '--to', {to!r}, '--out', 'digits.{to}']; main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert f"digits.{to} was not written" in done.stderr
    assert os.listdir(tmp_path) == []


def test_a_kill_in_the_middle_leaves_no_file_of_the_final_name(
    trained: RunFolder, begin: Begin, tmp_path: Path
) -> None:
    command = begin("export", str(trained.path), "--to", "onnx", "--out", "digits.onnx")
    while not list(tmp_path.glob(".*tmp*")) and command.poll() is None:
        time.sleep(0.01)
    os.kill(command.pid, signal.SIGKILL)
    command.wait()
    assert not Path("digits.onnx").exists()
    export(trained.path, "onnx", Path("digits.onnx"), **QUICK)
    assert failures(recheck(Path("digits.onnx"))) == []
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["last", "--to", "onxx"], "did you mean onnx?"),
        (["last"], "name a format: nn export last --to onnx"),
        (["last", "onnx"], "name a format: nn export last --to onnx"),
        (["onnx"], "name a format: nn export last --to onnx"),
        (["a.onnx", "--to", "pt2"], "a.onnx is an exported file already"),
        (["--check", "a.onnx", "--half"], "--half has no effect with --check"),
        (["last", "--to", "onnx", "--structured"], "--structured has no effect without --prune"),
        (["last", "--to", "onnx", "--trust-file"], "--trust-file is for --check"),
        (["last", "--to", "safetensors", "--batch", "2"], "--batch has no effect with --to safetensors"),
        (["last", "--to", "ONNX", "--tolerance", "inf"], "--tolerance is inf; it must be a number"),
        (["--check"], "name the exported file"),
        (["--check", "no.onnx"], "no.onnx does not exist"),
        (["last", "--to", "onnx", "--form", "predct"], "--form is predct; Classification has predict, embedding"),
        (["nosuch", "--to", "onnx"], "no such run"),
    ],
)
def test_wrong_words(words: list[str], told: str, nn: Nn, trained: RunFolder) -> None:
    shutil.copytree(trained.path, "runs/digits_mlp/1120-2104-abcd")
    done = nn("export", *words)
    assert done.returncode == 1
    assert told in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["eval", "digits.onnx", "last"], "an exported file is evaluated alone"),
        (["eval", "digits.onnx", "--which", "last"], "--which has no effect on an exported file"),
        (["eval", "digits.onnx", "data.rooot=x"], "(digits.onnx:"),
        (["predict", "digits.onnx", "x.npy", "--which", "last"], "--which has no effect on an exported file"),
        (["predict", "digits.onnx", "x.npy", "--out", "a.csv", "--rejected", "a.csv"], "are both a.csv"),
        (["export", "--check", "digits.onnx", "--tolerance", "1e-15"], "1e-15 is allowed"),
    ],
)
def test_wrong_words_about_a_file(words: list[str], told: str, nn: Nn, file: Path) -> None:
    done = nn(*words)
    assert (done.returncode, told in done.stderr) == (1, True), done.stderr


def test_tokens_may_have_any_length() -> None:
    (shapes,) = dynamic_shapes(torch.ones(2, 8, dtype=torch.int64), Options()) or ({},)
    assert set(shapes) == {0, 1}
