"""The programs of the page "Out of the lab": for one raw sample, each prints the answer of the run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nncli
from nncli.export.export import export
from nncli.run.folder import RunFolder
from tests.test_docs import ROOT, fences, write_file

PAGE = ROOT / "docs" / "guide" / "out_of_the_lab.md"
WITHOUT = "import sys; sys.modules['nncli'] = sys.modules['openvino_telemetry'] = None; import runpy; "


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("digits")
    words = ["recipe=digits_mlp", "trainer.precision=32", "trainer.max_epochs=3", f"run_dir={folder / 'digits'}"]
    return nncli.fit(words, show="quiet")


@pytest.fixture(autouse=True)
def _on_the_page(digits: RunFolder, tmp_path: Path) -> None:
    """The files of the page, and the sample."""
    for language, _, text, before in fences(PAGE):
        write_file(tmp_path, language, text, before)
    subprocess.run([sys.executable, "save_digit.py"], check=True)


def answer(digits: RunFolder) -> tuple[int, float]:
    """The class of the sample and its probability, from the run."""
    probabilities = nncli.load(digits.path).predict(np.fromfile("digit.bin", np.uint8).reshape(1, 8, 8))
    return int(probabilities.argmax()), float(probabilities.max())


def printed(*command: str) -> tuple[int, float]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    number, probability = done.stdout.split()
    return int(number), float(probability)


def python(file: str, missing: str = "") -> tuple[int, float]:
    """What a program prints where nn, and perhaps another package, is not installed."""
    less = f"sys.modules[{missing!r}] = None; " if missing else ""
    return printed(sys.executable, "-W", "ignore", "-c", f"{WITHOUT}{less}runpy.run_path({file!r})")


@pytest.mark.parametrize(("to", "missing"), [("onnx", "torch"), ("pt2", ""), ("openvino", "torch")])
def test_a_program_in_python_answers_like_the_run(to: str, missing: str, digits: RunFolder) -> None:
    export(digits.path, to, timed=False)
    assert python(f"with_{to}.py", missing) == pytest.approx(answer(digits), abs=1e-4)


def test_torchscript_is_opened_as_the_page_says(digits: RunFolder) -> None:
    (call,) = set(re.findall(r"`(torch\.jit\.load\(.*?\))`", PAGE.read_text()))
    export(digits.path, "torchscript", timed=False)
    Path("x.py").write_text(
        f"import numpy as np, torch\nnet = {call}\n"
        "p = net(torch.from_numpy(np.fromfile('digit.bin', np.uint8).reshape(1, 1, 8, 8)))[0]\n"
        "print(p.argmax().item(), p.max().item())\n"
    )
    assert python("x.py") == pytest.approx(answer(digits), abs=1e-4)


def test_the_weights_alone_are_listed(digits: RunFolder) -> None:
    export(digits.path, "safetensors", timed=False)
    done = subprocess.run([sys.executable, "read_weights.py"], capture_output=True, text=True, check=True)
    tensors = nncli.load(digits.path).task.net.state_dict()
    assert sorted(done.stdout.splitlines()) == sorted(f"{name} {list(one.shape)}" for name, one in tensors.items())


@pytest.mark.slow
def test_litert_answers_like_the_run(digits: RunFolder) -> None:
    pytest.importorskip("litert_torch")
    export(digits.path, "litert", timed=False)
    assert python("with_litert.py", "torch") == pytest.approx(answer(digits), abs=1e-4)


@pytest.mark.slow
def test_a_program_in_cpp_answers_like_the_run(digits: RunFolder) -> None:
    if not (shutil.which("cmake") and shutil.which("c++")):
        pytest.skip("needs CMake and a C++ compiler")
    export(digits.path, "torchscript", timed=False)
    (build,) = (text for language, _, text, _ in fences(PAGE) if language == "sh" and "cmake -S" in text)
    *steps, run = build.splitlines()
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for step in steps:
        done = subprocess.run(step, shell=True, capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
    assert printed(run) == pytest.approx(answer(digits), abs=1e-4)


@pytest.mark.network
def test_a_web_page_answers_like_the_run(digits: RunFolder) -> None:
    """Its script runs in Node.js, with the package that a browser would load, and files in place of addresses."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("needs Node.js")
    export(digits.path, "onnx", timed=False)
    page = Path("index.html").read_text()
    (version,) = set(re.findall(r"onnxruntime-web@([\d.]+)/dist/ort\.wasm\.bundle\.min\.mjs", page))
    subprocess.run(["npm", "install", "--silent", f"onnxruntime-web@{version}"], check=True)
    assert Path("node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs").is_file()
    (script,) = re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    Path("package.json").write_text('{"type": "module"}')
    Path("page.js").write_text(
        "import { readFile } from 'node:fs/promises';\n"
        "const output = {};\n"
        "globalThis.document = { querySelector: () => output };\n"
        "globalThis.fetch = async (name) => new Response(await readFile(name));\n"
        f"{script}\n"
        "console.log(output.textContent);\n"
    )
    assert printed("node", "page.js") == pytest.approx(answer(digits), abs=1e-4)
