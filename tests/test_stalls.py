"""Processes that were stopped are noticed, in time in which the one that looks runs itself."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from nncli.stalls import Stalls, stopped

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be stopped there")


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def _until_stopped(pid: int, is_so: bool = True) -> None:
    began = time.monotonic()
    while bool(stopped([pid])) != is_so:
        assert time.monotonic() - began < 10
        time.sleep(0.01)


def test_a_stopped_process_is_over_its_time_when_that_has_passed(child: "subprocess.Popen[bytes]") -> None:
    stalls = Stalls(patience=0.2)
    assert stalls.over([child.pid]) == []
    os.kill(child.pid, signal.SIGSTOP)
    _until_stopped(child.pid)
    stalls.over([child.pid])
    time.sleep(0.3)
    assert stalls.over([child.pid]) == [child.pid]


def test_one_that_goes_on_starts_anew(child: "subprocess.Popen[bytes]") -> None:
    stalls = Stalls(patience=1.0)
    os.kill(child.pid, signal.SIGSTOP)
    _until_stopped(child.pid)
    time.sleep(0.6)
    stalls.over([child.pid])
    os.kill(child.pid, signal.SIGCONT)
    _until_stopped(child.pid, False)
    assert stalls.over([child.pid]) == []
    os.kill(child.pid, signal.SIGSTOP)
    _until_stopped(child.pid)
    time.sleep(0.6)
    assert stalls.over([child.pid]) == []


def test_time_in_which_nobody_looked_does_not_count(child: "subprocess.Popen[bytes]") -> None:
    stalls = Stalls(patience=60.0)
    os.kill(child.pid, signal.SIGSTOP)
    _until_stopped(child.pid)
    stalls.checked -= 3600  # an hour in which the person had stopped everything, this process too
    assert stalls.over([child.pid]) == []


def test_a_process_that_has_ended_is_not_stopped(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    child.wait()
    assert stopped([child.pid]) == []
