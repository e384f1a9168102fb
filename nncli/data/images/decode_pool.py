"""Decode many image files into one array on disk, with as many processes as there are cores."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from subprocess import DEVNULL, PIPE

from nncli.data.images import decode
from nncli.data.images.decode import Form, Trouble
from nncli.errors import DataError
from nncli.stalls import Stalls

FEW = 2000  # pictures that are decoded faster than other processes start
JOB = 512  # pictures per job

Step = tuple[int, list[Trouble]]


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fill(source: Path, names: Sequence[str], target: Path, form: Form) -> Iterator[Step]:
    """Decode `names` into the rows of `target`; yields how many more are done, and which of them are unreadable.

    Threads would block each other (measured with pictures of 32x32: 1.4 times slower than a single one).
    """
    jobs = [
        {"source": str(source), "names": names[low : low + JOB], "target": str(target), "low": low, "form": list(form)}
        for low in range(0, len(names), JOB)
    ]
    if len(names) <= FEW or cores() == 1:
        here = decode.reader(source)
        for job in jobs:
            yield from decode.fill(**job, here=here)
        return
    yield from _shared_out(jobs, min(cores(), len(jobs)))


def _shared_out(jobs: list[dict[str, object]], count: int) -> Iterator[Step]:
    todo, steps = SimpleQueue[dict[str, object] | None](), SimpleQueue[Step | DataError | None]()
    for job in [*jobs, *[None] * count]:
        todo.put(job)
    # a program by its path: multiprocessing would import the user's own script again, or fork with torch's threads
    command = [sys.executable, "-P", decode.__file__]
    others = [
        # a session of its own: Ctrl-C reaches only this process, which ends them
        subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True, start_new_session=True)
        for _ in range(count)
    ]
    pool = ThreadPoolExecutor(count)
    try:
        for other in others:
            pool.submit(_feed, other, todo, steps)
        running, stalls = count, Stalls()
        while running:
            try:
                step = steps.get(timeout=1)
            except Empty:
                if stalls.over([other.pid for other in others if other.poll() is None]):
                    text = f"a process that decodes pictures was stopped (SIGSTOP) for {stalls.patience:g} s; try again"
                    raise DataError(text) from None
                continue
            if isinstance(step, DataError):
                raise step
            running -= step is None
            if step is not None:
                yield step
    finally:
        for other in others:  # if this process is killed, they end by themselves, as their stdin is closed
            other.kill()
        for _ in others:
            todo.put(None)
        pool.shutdown()
        for other in others:
            other.communicate()


def _feed(
    other: "subprocess.Popen[str]",
    todo: "SimpleQueue[dict[str, object] | None]",
    steps: "SimpleQueue[Step | DataError | None]",
) -> None:
    """Send one process its jobs, one after another, and pass on its results."""
    assert other.stdin is not None
    assert other.stdout is not None
    try:
        while (job := todo.get()) is not None:
            other.stdin.write(json.dumps(job) + "\n")
            other.stdin.flush()
            while (step := json.loads(other.stdout.readline())) is not None:
                steps.put((step[0], [Trouble(*bad) for bad in step[1]]))
        steps.put(None)
    except (OSError, ValueError):  # its last line is empty
        steps.put(DataError(f"a process that decodes pictures was killed (exit code {other.wait()}); try again"))
