"""Processes that train runs side by side, each several in turn, so that imports and data are loaded once."""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select
from typing import IO, Any, ClassVar

from nncli.errors import NnError
from nncli.run.processes.python import python
from nncli.run.processes.signals import held_back

MODULE = "nncli.run.processes.worker"
PATIENCE = 20.0  # seconds in which a worker that is asked to stop writes its checkpoint
STARTS = 5  # of workers in a row that may fail
GONE = 5.0  # seconds in which a process that is killed ends


class Nursery:
    """A process that imports what training needs, once, and forks workers: they start at once and share its memory."""

    current: ClassVar["Nursery | None"] = None

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs, held_back():
            self.process = subprocess.Popen(
                [*python(MODULE), "nursery"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # if it cannot import, a worker that starts alone says so in its log
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )

    def fork(self, pipes: list[int], environment: Mapping[str, str]) -> bool:
        """Begin a worker; whether that was possible."""
        try:
            socket.send_fds(self.ours, [json.dumps(dict(environment)).encode()], pipes)
        except OSError:  # it has died
            return False
        return True

    def close(self) -> None:
        self.ours.close()
        self.process.kill()
        self.process.wait()


@contextmanager
def nursery() -> Iterator[None]:
    """Within the block, workers are forked where they can be: not where they use GPUs, nor on other systems than Linux.

    What it imports is ready by the time that the words have been read and checked.
    """
    if sys.platform != "linux" or Path("/dev/nvidia0").exists():
        yield
        return
    Nursery.current = Nursery()
    try:
        yield
    finally:
        Nursery.current.close()
        Nursery.current = None


class Worker:
    """One process: idle, or training the run of `job`."""

    def __init__(self, log: IO[bytes], environment: Mapping[str, str], nursery: Nursery | None) -> None:
        (read, orders), (answers, write) = os.pipe(), os.pipe()
        self.orders, self.answers = os.fdopen(orders, "wb", buffering=0), os.fdopen(answers, "rb")
        self.process: subprocess.Popen[bytes] | None = None
        self.pid: int | None = None  # known when it is ready
        self.job: Any = None
        if nursery is None or not nursery.fork([read, write, log.fileno()], environment):
            with held_back():
                self.process = subprocess.Popen(
                    python(MODULE),
                    stdin=read,
                    stdout=write,
                    stderr=log,
                    env=os.environ | environment,
                    start_new_session=True,  # Ctrl-C reaches only the parent
                )
        os.close(read)
        os.close(write)

    def train(self, job: Any, order: Mapping[str, Any]) -> None:
        self.job = job
        with suppress(BrokenPipeError):  # it has died, which `answers` reports
            self.orders.write(f"{json.dumps(order)}\n".encode())

    def kill(self) -> None:
        self.orders.close()  # which ends one that is not ready yet
        if self.pid is not None:
            with suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL) if hasattr(os, "killpg") else os.kill(self.pid, signal.SIGTERM)
        elif self.process is not None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()
        while self.pid is not None and select([self.answers], [], [], GONE)[0] and self.answers.read1():
            pass  # until it has ended
        self.answers.close()
        self.job = None


class Pool:
    """`count` workers with a fair share of the cores each; one that dies is replaced."""

    def __init__(self, count: int, log: Path, devices: list[str] | None = None) -> None:
        self.log, self.devices = log.open("ab"), devices
        self.stillborn = 0  # workers in a row that died before they had started
        self.selector = selectors.DefaultSelector()
        self.threads = max(1, (os.cpu_count() or 1) // count)
        self.workers = [self._started(place) for place in range(count)]

    def _started(self, place: int) -> Worker:
        environment = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(self.threads))}
        if self.devices:
            environment["CUDA_VISIBLE_DEVICES"] = self.devices[place % len(self.devices)]
        worker = Worker(self.log, environment, Nursery.current)
        self.selector.register(worker.answers, selectors.EVENT_READ, worker)
        return worker

    def idle(self) -> list[Worker]:
        """The workers that have started, and train nothing."""
        return [worker for worker in self.workers if worker.job is None and worker.pid is not None]

    def busy(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.job is not None]

    def answers(self, seconds: float) -> Iterator[tuple[Any, dict[str, Any] | None]]:
        """Each job that has ended meanwhile, and how; None if its worker has died."""
        for key, _ in self.selector.select(seconds):
            worker: Worker = key.data
            line, job = worker.answers.readline(), worker.job
            if line.endswith(b"\n"):
                answer = json.loads(line)
                if worker.pid is None:
                    worker.pid, self.stillborn = answer["pid"], 0
                else:
                    worker.job = None
                    yield job, answer
                continue
            self.selector.unregister(key.fileobj)
            self.stillborn += worker.pid is None
            worker.kill()
            if self.stillborn > STARTS:
                raise NnError(f"no process can be started to train in; see {self.log.name}")
            self.workers[self.workers.index(worker)] = self._started(self.workers.index(worker))
            if job is not None:
                yield job, None

    def stop(self) -> None:
        """Ask the workers to write their checkpoints, and end them."""
        for worker in self.busy():
            assert worker.pid is not None
            with suppress(OSError):
                os.kill(worker.pid, signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while self.busy() and time.monotonic() < end:
            for _ in self.answers(0.1):
                pass
        self.close()

    def close(self) -> None:
        self.selector.close()
        for worker in self.workers:
            worker.kill()
        self.log.close()
