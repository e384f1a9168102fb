"""OpenVINO's model: the answers of the run, the card inside, and nothing reported to Intel."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nncli
from nncli.errors import NnError
from nncli.export.acceptance import failures
from nncli.export.check import recheck
from nncli.export.export import export
from nncli.export.files import open_file, read_card
from nncli.export.formats import Options
from nncli.run.folder import RunFolder
from tests.conftest import Nn

WORDS = ["trainer.max_steps=2", "trainer.precision=32", "test=false"]
NETS = {
    "images": ["recipe=digits_resnet", "model.width=4"],
    "patches": ["recipe=digits_vit", "model.dim=16", "model.heads=2"],
    "table": ["recipe=wine_mlp"],
    "series": ["data=sine"],
    "texts": ["data=text", "data.path=texts.csv", "data.target=y", "data.batch_size=4"],
}


def test_it_gives_the_answers_of_the_run_and_is_checked_again(trained: RunFolder) -> None:
    path = Path("digits.openvino")
    report = export(trained.path, "openvino", path, timed=False)
    assert report["largest_difference"] < 1e-5
    assert report["batches"] == [1, 3, 64]
    assert report["metrics"]["accuracy"]["before"] == report["metrics"]["accuracy"]["after"] > 0.9
    assert sorted(os.listdir(path)) == ["model.bin", "model.xml"]
    assert failures(recheck(path)) == []
    assert read_card(path)["classes"] == [str(number) for number in range(10)]
    weights = np.fromfile(path / "model.bin", np.float32)
    weights[5000:6000] += 0.1
    weights.tofile(path / "model.bin")
    assert "differ" in failures(recheck(path))[0]


def texts() -> None:
    """texts.csv, with two classes of texts."""
    rows = [f"{'good fine' if row % 2 else 'bad poor awful'} {'film ' * (row % 5)},{row % 2}" for row in range(60)]
    Path("texts.csv").write_text("\n".join(["text,y", *rows]))


@pytest.mark.parametrize("kind", NETS)
def test_each_kind_of_net_is_converted_exactly(kind: str) -> None:
    texts()
    run = nncli.fit([*NETS[kind], *WORDS, "run_dir=run"], show="quiet")
    report = export(run.path, "openvino", Path("net.openvino"), which="last", timed=False)
    assert report["batches"] == [1, 3, 64]
    assert report["largest_difference"] <= report["allowed_difference"]


def test_a_program_without_nn_reads_the_card_and_gets_named_outputs(trained: RunFolder) -> None:
    export(trained.path, "openvino", Path("digits.openvino"), timed=False, options=Options(batch=2))
    x = np.random.default_rng(0).integers(0, 17, (2, 1, 8, 8), dtype=np.uint8)
    np.save("x.npy", x)
    program = (
        "import sys; sys.modules['nncli'] = sys.modules['torch'] = sys.modules['openvino_telemetry'] = None\n"
        "import json, numpy as np, openvino\n"
        "model = openvino.Core().read_model('digits.openvino/model.xml')\n"
        "net = openvino.compile_model(model, 'CPU')\n"
        "np.save('y.npy', net({'image': np.load('x.npy')})['probabilities'])\n"
        "print(json.loads(model.get_rt_info(['nn']).value)['classes'][3], model.inputs[0].shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "3 [2,1,8,8]\n"
    expected = nncli.load(trained.path).predict(x).detach().numpy()
    assert np.abs(np.load("y.npy") - expected).max() < 0.02  # bfloat16, where the processor has it


def test_nothing_is_reported_to_intel(trained: RunFolder, nn: Nn, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    path = tmp_path / "digits.openvino"
    export(trained.path, "openvino", path, timed=False)
    program = "import openvino"
    alone = subprocess.run([sys.executable, "-c", program], env=os.environ | {"HOME": str(home), "CI": ""}, check=False)
    assert alone.returncode == 0
    reported = set(os.listdir(home))
    for name in reported:
        (home / name).rename(tmp_path / name)
    done = nn("eval", str(path), HOME=str(home), CI="", NN_CACHE=os.environ.get("NN_CACHE", str(tmp_path / "cache")))
    assert done.returncode == 0, done.stderr
    assert reported == {"intel"}, "openvino no longer does what is prevented here"
    assert "intel" not in os.listdir(home)


def test_nn_predicts_with_it(trained: RunFolder, nn: Nn) -> None:
    export(trained.path, "openvino", Path("digits.openvino"), timed=False)
    np.save("x.npy", np.random.default_rng(0).integers(0, 17, (5, 1, 8, 8), dtype=np.uint8))
    by_file, by_run = nn("predict", "digits.openvino", "x.npy"), nn("predict", str(trained.path), "x.npy")
    assert (by_file.returncode, by_file.stdout.count("\n")) == (0, 6), by_file.stderr
    assert [line.split(",")[1] for line in by_file.stdout.split()] == [
        line.split(",")[1] for line in by_run.stdout.split()
    ]


def test_the_users_files_in_the_folder_are_kept(trained: RunFolder) -> None:
    path = Path("digits.openvino")
    for _ in range(2):
        export(trained.path, "openvino", path, timed=False)
        (path / "labels.txt").write_text("mine")
    assert sorted(os.listdir(path)) == ["labels.txt", "model.bin", "model.xml"]
    assert sorted(os.listdir()) == ["digits.openvino", "digits.openvino.json"]


@pytest.mark.parametrize(("content", "told"), [(None, "holds no model.xml"), ("<net", "cannot be opened by OpenVINO")])
def test_another_folder_is_refused(content: str | None, told: str) -> None:
    Path("x.openvino").mkdir()
    if content:
        Path("x.openvino/model.xml").write_text(content)
    with pytest.raises(NnError, match=told):
        open_file(Path("x.openvino"))


def test_a_full_disk_is_said_and_leaves_nothing(trained: RunFolder, tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys; from nncli.export.formats import onnx\n"
        "written = onnx.write\n"
        "def then_full(*arguments):\n"
        "    notes = written(*arguments)\n"
        "    signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "    return notes\n"
        "onnx.write = then_full\n"
        "from nncli.__main__ import main\n"
        f"sys.argv = ['nn', 'export', {str(trained.path)!r}, '--to', 'openvino']; main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, os.listdir(tmp_path)) == (1, []), done.stderr
    assert "OpenVINO cannot write the net" in done.stderr
