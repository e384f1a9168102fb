"""Processes that train runs side by side, each several in turn, so that imports and data are loaded once."""

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from nncli.run.processes.launch import python
from nncli.run.processes.signals import held_back

PATIENCE = 20.0  # seconds in which a worker that is asked to stop writes its checkpoint


class Worker:
    """One process: idle, or training the run of `job`."""

    def __init__(self, log: IO[bytes], environment: Mapping[str, str]) -> None:
        with held_back():
            self.process = subprocess.Popen(
                python("nncli.run.processes.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | environment,
                start_new_session=True,  # Ctrl-C reaches only the parent
            )
        self.job: Any = None
        self.ready = False

    def train(self, job: Any, order: Mapping[str, Any]) -> None:
        self.job = job
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has died, which `answers` reports
            self.process.stdin.write(f"{json.dumps(order)}\n".encode())
            self.process.stdin.flush()

    def kill(self) -> None:
        with suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL) if hasattr(os, "killpg") else self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(OSError):  # what it was told last, and did not read
                stream.close() if stream else None


class Pool:
    """`count` workers with a fair share of the cores each; one that dies is replaced."""

    def __init__(self, count: int, log: Path, devices: list[str] | None = None) -> None:
        self.log, self.devices = log.open("ab"), devices
        self.selector = selectors.DefaultSelector()
        self.threads = max(1, (os.cpu_count() or 1) // count)
        self.workers = [self._started(place) for place in range(count)]

    def _started(self, place: int) -> Worker:
        environment = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(self.threads))}
        if self.devices:
            environment["CUDA_VISIBLE_DEVICES"] = self.devices[place % len(self.devices)]
        worker = Worker(self.log, environment)
        assert worker.process.stdout is not None
        self.selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
        return worker

    def idle(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.job is None]

    def busy(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.job is not None]

    def answers(self, seconds: float) -> Iterator[tuple[Any, dict[str, Any] | None]]:
        """Each job that has ended meanwhile, and how; None if its worker has died."""
        for key, _ in self.selector.select(seconds):
            worker: Worker = key.data
            line = worker.process.stdout.readline() if worker.process.stdout else b""
            job = worker.job
            if line.endswith(b"\n"):
                if worker.ready:
                    worker.job = None
                    yield job, json.loads(line)
                worker.ready = True
                continue
            self.selector.unregister(key.fileobj)
            worker.kill()
            self.workers[self.workers.index(worker)] = self._started(self.workers.index(worker))
            if job is not None:
                yield job, None

    def stop(self) -> None:
        """Ask the workers to write their checkpoints, and end them."""
        for worker in self.busy():
            worker.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while self.busy() and time.monotonic() < end:
            for _ in self.answers(0.1):
                pass
        self.close()

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.selector.close()
        self.log.close()
