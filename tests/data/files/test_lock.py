"""One process makes a file, the others wait."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from nncli.data.files.lock import alone
from nncli.errors import DataError

HOLD = """
import sys
from pathlib import Path
from nncli.data.files.lock import alone
with alone(Path(sys.argv[1]), "making it"):
    print("held", flush=True)
    sys.stdin.readline()
    Path(sys.argv[1]).write_text("made")
"""


@pytest.mark.parametrize("killed", [False, True])
def test_the_second_process_waits_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str], killed: bool) -> None:
    path = tmp_path / "data"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        if killed:
            other.kill()
        else:
            other.stdin.write("\n")
            other.stdin.flush()
        with alone(path, "making it"):
            assert path.exists() is not killed
    assert list(tmp_path.iterdir()) == ([] if killed else [path]), "no lock stays"
    del capsys


FORK = """
import os, sys, time
from pathlib import Path
from nncli.data.files.lock import alone
with alone(Path(sys.argv[1]), "making it"):
    child = os.fork()
    if child == 0:
        os.close(1)
        time.sleep(60)
        os._exit(0)
    print(child, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_does_not_hold_it_when_its_parent_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORK, str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        child = int(other.stdout.readline())
        try:
            other.kill()
            other.wait()
            began = time.monotonic()
            with alone(tmp_path / "data", "making it"):
                assert time.monotonic() - began < 10
            os.kill(child, 0)  # it lives
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_that_ends_does_not_free_it(tmp_path: Path) -> None:
    end = "import gc; gc.collect(); sys.exit()"
    command = [sys.executable, "-c", FORK.replace("os._exit(0)", end).replace("time.sleep(60)", "", 1)]
    with subprocess.Popen([*command, str(tmp_path / "data")], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            with pytest.raises(Timeout):
                FileLock(tmp_path / ".data.nn-lock").acquire(timeout=1)
        finally:
            other.kill()


def test_what_only_looks_like_a_lock_is_kept_and_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".data.nn-lock").write_text("mine")
    with alone(tmp_path / "data", "making it"):
        pass
    assert (tmp_path / ".data.nn-lock").read_text() == "mine"
    (tmp_path / ".other.nn-lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"\.other\.nn-lock cannot be written to"), alone(tmp_path / "other", "making"):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_waiting_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import threading

    inside, done = threading.Event(), threading.Event()

    def hold() -> None:
        with alone(tmp_path / "data", "making it"):
            inside.set()
            done.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(5)
    threading.Timer(0.1, done.set).start()
    with alone(tmp_path / "data", "making it"):
        pass
    thread.join()
    assert "another process is making it; waiting for it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
