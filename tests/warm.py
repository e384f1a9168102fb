"""`nn` without its start: one process imports everything once and forks for each command that a test runs.

A command runs in a process of its own all the same, in its own folder, with its own environment and streams; only the
seconds that importing takes are shared. As a program this file is the server (`warm.py serve SOCKET`) or, for shells,
the client (`warm.py SOCKET WORDS…`, which imports nothing but what it needs here).
"""

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
from pathlib import Path
from types import ModuleType

IMPORTED = (
    "torch",
    "torch._dynamo",
    "lightning.pytorch",
    "sklearn.datasets",
    "nncli.run.fit",
    "nncli.run.eval",
    "nncli.run.model",
    "nncli.cli.main",
)


class Command:
    """`nn` with these words, running; its exit code is negative for a signal. Ending the caller ends it."""

    def __init__(
        self, server: str, words: list[str], cwd: str, env: dict[str, str], streams: tuple[int, int, int]
    ) -> None:
        self.returncode: int | None = None
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(server)
        body = json.dumps({"words": words, "cwd": cwd, "env": env}).encode("utf-8", "surrogateescape")
        socket.send_fds(self.line, [struct.pack("!Q", len(body))], list(streams))
        self.line.sendall(body)
        self.pid: int = struct.unpack("!q", self.line.recv(8))[0]

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self.line], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = int(struct.unpack("!q", self.line.recv(8))[0])
            self.line.close()
        return self.returncode


def serve(server: str) -> None:
    """Import what `nn` needs, then fork for each command, as long as whoever started this process lives."""
    import importlib

    parent = os.getppid()
    for name in IMPORTED:
        importlib.import_module(name)
    waiting = socket.socket(socket.AF_UNIX)
    waiting.bind(server)
    waiting.listen()
    waiting.settimeout(1)  # what it accepts blocks all the same
    gc.freeze()  # what is here stays, so that no forked process looks through it
    print("ready", flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        try:
            line, _ = waiting.accept()
        except TimeoutError:
            if os.getppid() != parent:
                os._exit(0)
            continue
        if os.fork() == 0:
            waiting.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _run(line)
            return  # in the process of the command, which now runs
        line.close()


def _run(line: socket.socket) -> None:
    """Fork once more: the child becomes the command; this process waits for it, and tells how it ended."""
    head, streams, _, _ = socket.recv_fds(line, 8, 3)
    (size,) = struct.unpack("!Q", head)
    body = b""
    while len(body) < size:
        body += line.recv(size - len(body))
    asked = json.loads(body.decode("utf-8", "surrogateescape"))
    child = os.fork()
    if child:
        for stream in streams:
            os.close(stream)
        line.sendall(struct.pack("!q", child))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
            line.settimeout(0.01)
            try:
                if not line.recv(1):  # whoever asked is gone
                    os.kill(child, signal.SIGKILL)
            except TimeoutError:
                continue
        code = os.waitstatus_to_exitcode(ended[1])
        with contextlib.suppress(OSError):
            line.sendall(struct.pack("!q", code))
        os._exit(0)
    line.close()
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        for number, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"))
    )
    import nncli.__main__ as program

    sys.argv = [str(program.__file__), *asked["words"]]
    sys.path[0] = asked["cwd"]
    sys.modules["__main__"] = ModuleType("__main__")  # what a spawned process would import again


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        sys.path[0] = str(Path(__file__).parent.parent)
        serve(sys.argv[2])
        from nncli.__main__ import main

        code: object = 0
        try:
            main()
        except SystemExit as left:
            code = left.code
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 0)  # taking all modules down again would take a second
    else:
        sys.exit(Command(sys.argv[1], sys.argv[2:], os.getcwd(), dict(os.environ), (0, 1, 2)).wait())
