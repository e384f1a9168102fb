"""SIGINT and SIGTERM at any moment of any verb: the documented exit code, no traceback, no process left behind."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Nn
from tests.run.test_ddp import TWO, ranks_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are something else there")

# read by every interpreter that is started with its folder on PYTHONPATH
HOOK = """
import atexit, os, sys, threading, time
signum, _, moment = os.environ.get("NN_TEST_SIGNAL", "").partition(":")
where, _, what = moment.partition("=")
is_rank = "LOCAL_RANK" in os.environ
if os.environ.get("LOCAL_RANK") == "1":
    where = ""

def send():
    if not is_rank or where == "rank":
        os.kill(os.getppid() if is_rank else os.getpid(), int(signum))

class AtImport:
    done = False
    def find_spec(self, name, path=None, target=None):
        if name == what and not self.done:
            AtImport.done = True
            send()

if where == "exit":
    atexit.register(send)
elif where in ("import", "rank") and (where == "rank") == is_rank:
    sys.meta_path.insert(0, AtImport())
elif where == "after" and not is_rank and "nncli" in " ".join(sys.orig_argv):
    threading.Thread(target=lambda: (time.sleep(float(what)), send()), daemon=True).start()
"""


@pytest.fixture
def hook(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "hook"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HOOK)
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def _ended(done: "subprocess.CompletedProcess[str]", signum: int, *others: int) -> None:
    assert done.returncode in (128 + signum, *others), done.stderr
    assert "Traceback" not in done.stderr
    assert "ignored in" not in done.stderr
    assert "itself failed" not in done.stderr


IMPORTS = [
    (signal.SIGINT, "nncli.cli.main", ["runs", "ls"]),
    (signal.SIGTERM, "typer", ["runs", "ls"]),
    (signal.SIGINT, "nncli.run.processes.cluster", ["train", "trainer=fast"]),
    (signal.SIGTERM, "torch.nn", ["train", "trainer=fast"]),
    (signal.SIGINT, "torch._C", ["eval", "last"]),
    (signal.SIGTERM, "numpy.linalg", ["data", "show", "digits"]),
    (signal.SIGINT, "torch.optim", ["verify", "recipe=digits_mlp"]),
    (signal.SIGTERM, "nncli.tune.lr", ["tune", "lr"]),
]


@pytest.mark.parametrize(("signum", "module", "words"), IMPORTS, ids=[f"{m}-{w[0]}" for _, m, w in IMPORTS])
def test_a_signal_while_modules_are_imported(
    nn: Nn, hook: dict[str, str], signum: int, module: str, words: list[str]
) -> None:
    done = nn(*words, NN_TEST_SIGNAL=f"{int(signum)}:import={module}", **hook)
    _ended(done, signum)
    assert done.stderr == ""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_signal_while_the_interpreter_shuts_down(nn: Nn, hook: dict[str, str], signum: int) -> None:
    done = nn("recipes", "ls", NN_TEST_SIGNAL=f"{int(signum)}:exit=", **hook)
    _ended(done, signum)
    assert "digits_mlp" in done.stdout


def test_importing_the_package_leaves_signals_alone() -> None:
    program = (
        "import signal, sys\nbefore = [signal.getsignal(s) for s in (2, 15)], sys.unraisablehook\n"
        "import nncli, nncli.cli.main, nncli.run.fit, nncli.run.processes.rank, nncli.__main__\n"
        "assert before == ([signal.getsignal(s) for s in (2, 15)], sys.unraisablehook)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


RANKS = [
    (signal.SIGTERM, "nncli.run.processes.rank"),
    pytest.param(signal.SIGINT, "torch.nn", marks=pytest.mark.slow),
    pytest.param(signal.SIGTERM, "torch._C", marks=pytest.mark.slow),
    pytest.param(signal.SIGINT, "torch.nn.parallel.distributed", marks=pytest.mark.slow),
]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("signum", "module"), RANKS)
def test_a_signal_while_ranks_start(nn: Nn, tmp_path: Path, hook: dict[str, str], signum: int, module: str) -> None:
    done = nn("train", *TWO, "run_dir=r", NN_TEST_SIGNAL=f"{int(signum)}:rank={module}", **hook)
    _ended(done, signum)
    assert "stopped; to continue: nn resume r" in done.stderr
    assert ranks_of(tmp_path) == []
    if module != "nncli.run.processes.rank":
        assert nn("resume", "r", "trainer.max_steps=5", "-q").returncode == 0


MOMENTS = [
    ["train", "trainer.max_epochs=200", "-q"],
    ["train", *TWO, "trainer.max_epochs=200", "-q"],
    ["data", "show", "digits"],
    ["verify", "recipe=digits_mlp"],
    ["tune", "lr"],
    ["tune", "batch"],
]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("words", MOMENTS, ids=lambda w: "-".join(w[:2]))
def test_a_signal_at_any_moment(nn: Nn, tmp_path: Path, hook: dict[str, str], words: list[str]) -> None:
    draw = random.Random(0)
    for i in range(20):
        signum = (signal.SIGINT, signal.SIGTERM)[i % 2]
        at = f"{draw.uniform(0, 12 if 'trainer=ddp' in words else 6):.2f}"
        given = [*words, "run_dir=r"] if words[0] == "train" else words
        done = nn(*given, NN_TEST_SIGNAL=f"{int(signum)}:after={at}", **hook)
        _ended(done, signum, 0)
        assert ranks_of(tmp_path) == [], at
        subprocess.run(["rm", "-rf", str(tmp_path / "r")], check=True)
        time.sleep(0.1)
