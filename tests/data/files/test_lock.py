"""One process makes a file, the others wait."""

import subprocess
import sys
from pathlib import Path

import pytest

from nncli.data.files.lock import alone

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
