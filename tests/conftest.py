"""What tests share: a folder of their own to work in, and a way to run `nn` as a person does."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# several tests share the cores: more than one thread each makes tiny operations wait for one another
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = (
    "1"  # read when its library is imported, which Lightning's metrics do: no test looks there
)

Nn = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def _own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test works in its own empty folder and keeps its runs there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NN_RUNS", raising=False)


@pytest.fixture
def nn(tmp_path: Path) -> Nn:
    """Run `nn` in a process of its own, in the test's folder; output as text."""

    def run(*words: str, timeout: float = 120, **env: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "nncli", *words],
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "160"} | env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
