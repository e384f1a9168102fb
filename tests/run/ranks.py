"""Ranks that are forked from the test, so that none of them imports anything anew."""

import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import lightning.pytorch.strategies  # noqa: F401  # what a rank needs is imported once, before it is forked
import pytest
import torch._dynamo
import torch.distributed.tensor  # noqa: F401
from torch import distributed

from nncli.run import sharding  # noqa: F401
from nncli.run.processes import launch, rank
from nncli.run.processes.signals import end_quietly


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs on several devices fork their ranks."""
    monkeypatch.setattr(launch, "subprocess", SimpleNamespace(Popen=Forked, PIPE=None))


class Forked:
    """A process that runs the command of a rank, and what is asked of subprocess.Popen."""

    def __init__(self, command: list[str], *, env: dict[str, str], **_: Any) -> None:
        self.code: int | None = None
        mine, self.pipe = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid:
            os.close(mine)
            return
        code = 99
        try:
            os.setsid()
            os.close(self.pipe)
            os.dup2(mine, 0)
            os.environ.update(env)
            sys.argv = command[-4:]
            end_quietly()
            code = rank.main()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def poll(self) -> int | None:
        return self._ended(os.WNOHANG)

    def wait(self) -> int | None:
        return self._ended(0)

    def _ended(self, how: int) -> int | None:
        if self.code is None:
            pid, status = os.waitpid(self.pid, how)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
                os.close(self.pipe)
        return self.code

    def send_signal(self, signum: int) -> None:
        os.kill(self.pid, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def on_two_ranks(work: Callable[[int], None]) -> None:
    """Do the work on each of two ranks that can talk to each other; what fails there is printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    children = []
    for number in range(2):
        if child := os.fork():
            children.append(child)
            continue
        code = 1
        try:
            distributed.init_process_group("gloo", init_method=address, rank=number, world_size=2)
            work(number)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
