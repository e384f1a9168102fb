"""Pictures decoded by several processes, one of which is stopped."""

import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from nncli.data.images import decode_pool
from nncli.data.images.decode import Form
from nncli.errors import DataError
from nncli.stalls import Stalls


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be stopped there")
def test_a_stopped_process_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "stops.py"
    program.write_text(f"import os; os.kill(os.getpid(), {int(signal.SIGSTOP)})\n")
    monkeypatch.setattr(decode_pool, "decode", SimpleNamespace(__file__=str(program)))
    monkeypatch.setattr(decode_pool, "FEW", 0)
    monkeypatch.setattr(decode_pool, "cores", lambda: 2)
    monkeypatch.setattr(decode_pool, "Stalls", lambda: Stalls(1.0))
    began = time.monotonic()
    with pytest.raises(DataError, match=r"was stopped \(SIGSTOP\) for 1 s; try again"):
        list(decode_pool.fill(tmp_path, ["a.png"], tmp_path / "rows", Form(3, 8, 8, False)))
    assert time.monotonic() - began < 30
