"""What tests share: a folder of their own to work in, and a way to run `nn` as a person does."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.warm import Command

# several tests share the cores: more than one thread each makes tiny operations wait for one another
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = (
    "1"  # read when its library is imported, which Lightning's metrics do: no test looks there
)

Nn = Callable[..., "subprocess.CompletedProcess[str]"]
Begin = Callable[..., Command]


@pytest.fixture(autouse=True)
def _own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test works in its own empty folder and keeps its runs there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NN_RUNS", raising=False)


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a process listens that forks for each `nn`, so that importing is paid once (see warm.py)."""
    server = str(tmp_path_factory.mktemp("warm") / "socket")
    command = [sys.executable, str(Path(__file__).parent / "warm.py"), "serve", server]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield server
        process.kill()


@pytest.fixture
def nn(tmp_path: Path, request: pytest.FixtureRequest) -> Nn:
    """Run `nn` in a process of its own, in the test's folder; output as text. With variables it starts cold."""

    def run(*words: str, timeout: float = 120, **env: str) -> "subprocess.CompletedProcess[str]":
        warm = [] if env else [str(Path(__file__).parent / "warm.py"), request.getfixturevalue("warm")]
        return subprocess.run(
            [sys.executable, *(["-SE", *warm] if warm else ["-m", "nncli"]), *words],
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "160"} | env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def begin(tmp_path: Path, warm: str) -> Begin:
    """Start `nn` in the test's folder and go on at once; what it says is in the file `said`."""

    def start(*words: str) -> Command:
        with open(os.devnull) as nothing, open(tmp_path / "said", "a") as said:
            streams = (nothing.fileno(), said.fileno(), said.fileno())
            return Command(warm, list(words), str(tmp_path), dict(os.environ), streams)

    return start
