"""Decode many image files with as many processes as there are cores: into one array on disk, or as a stream."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from subprocess import DEVNULL, PIPE
from typing import Any

import numpy as np

from nncli.data.images import decode
from nncli.data.images.decode import Form, Trouble
from nncli.errors import DataError
from nncli.stalls import Stalls

FEW = 2000  # pictures that are decoded faster than other processes start
JOB = 512  # pictures per job
BATCH = 64  # pictures of a stream that are decoded together
AHEAD = 3  # such batches for each process

Step = tuple[int, list[Trouble]]
Job = dict[str, Any]
Report = tuple[Job, Step | None]  # None: the job is done


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fill(source: Path, names: Sequence[str], target: Path, form: Form) -> Iterator[Step]:
    """Decode `names` into the rows of `target`; yields how many more are done, and which of them are unreadable.

    Threads would block each other (measured with pictures of 32x32: 1.4 times slower than a single one).
    """
    jobs = [_job(source, names[low : low + JOB], target, low, form) for low in range(0, len(names), JOB)]
    if len(names) <= FEW or cores() == 1:
        here = decode.reader(source)
        for job in jobs:
            yield from decode.fill(**job, here=here)
        return
    with _decoders(min(cores(), len(jobs))) as (todo, reports):
        for job in jobs:
            todo.put(job)
        running = len(jobs)
        while running:
            _, step = next(reports)
            running -= step is None
            if step is not None:
                yield step


def stream(source: Path, names: Sequence[str], form: Form) -> Iterator[tuple[np.ndarray, list[Trouble]]]:
    """The pixels of `names` in order, BATCH at a time, and which of them are unreadable; a few batches are ahead."""
    batches = [names[low : low + BATCH] for low in range(0, len(names), BATCH)]
    count = min(cores(), len(batches) // 2)
    if count < 2:
        read = decode.reader(source)
        yield from (_gathered(list(decode.decoded(read, some, form)), form) for some in batches)
        return
    with tempfile.TemporaryDirectory(prefix="nn-") as scratch, _decoders(count) as (todo, reports):
        free = [Path(scratch, f"{i}.npy") for i in range(AHEAD * count)]
        done, troubles = set[str](), dict[str, list[Trouble]]()
        for target in free:
            np.save(target, np.zeros((BATCH, *form[:3]), dtype=np.uint8))  # allocated, as a full disk would kill others
        sent: list[Job] = []
        for low, some in enumerate(batches):
            while len(sent) < min(low + len(free), len(batches)):
                job = _job(source, batches[len(sent)], free[len(sent) % len(free)], 0, form)
                sent.append(job)
                todo.put(job)
            target = sent[low]["target"]
            while target not in done:
                job, step = next(reports)
                if step is None:
                    done.add(job["target"])
                else:
                    troubles.setdefault(job["target"], []).extend(step[1])
            done.remove(target)
            yield np.load(target)[: len(some)], troubles.pop(target, [])


def _job(source: Path, names: Sequence[str], target: Path, low: int, form: Form) -> Job:
    return {"source": str(source), "names": list(names), "target": str(target), "low": low, "form": list(form)}


def _gathered(found: list[np.ndarray | Trouble], form: Form) -> tuple[np.ndarray, list[Trouble]]:
    pixels = np.zeros((len(found), *form[:3]), dtype=np.uint8)
    for place, image in enumerate(found):
        if not isinstance(image, Trouble):
            pixels[place] = image
    return pixels, [one for one in found if isinstance(one, Trouble)]


@contextmanager
def _decoders(count: int) -> "Iterator[tuple[SimpleQueue[Job | None], Iterator[Report]]]":
    """Processes that decode: a queue that takes jobs, and what they report."""
    todo, reports = SimpleQueue[Job | None](), SimpleQueue[Report | DataError]()
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
            pool.submit(_feed, other, todo, reports)
        yield todo, _reported(others, reports)
    finally:
        for other in others:  # if this process is killed, they end by themselves, as their stdin is closed
            other.kill()
        for _ in others:
            todo.put(None)
        pool.shutdown()
        for other in others:
            other.communicate()


def _reported(others: "list[subprocess.Popen[str]]", reports: "SimpleQueue[Report | DataError]") -> Iterator[Report]:
    stalls = Stalls()
    while True:
        try:
            report = reports.get(timeout=1)
        except Empty:
            if stalls.over([other.pid for other in others if other.poll() is None]):
                text = f"a process that decodes pictures was stopped (SIGSTOP) for {stalls.patience:g} s; try again"
                raise DataError(text) from None
            continue
        if isinstance(report, DataError):
            raise report
        yield report


def _feed(
    other: "subprocess.Popen[str]", todo: "SimpleQueue[Job | None]", reports: "SimpleQueue[Report | DataError]"
) -> None:
    """Send one process its jobs, one after another, and pass on its results."""
    assert other.stdin is not None
    assert other.stdout is not None
    try:
        while (job := todo.get()) is not None:
            other.stdin.write(json.dumps(job) + "\n")
            other.stdin.flush()
            while (step := json.loads(other.stdout.readline())) is not None:
                reports.put((job, (step[0], [Trouble(*bad) for bad in step[1]])))
            reports.put((job, None))
    except (OSError, ValueError):  # its last line is empty
        reports.put(DataError(f"a process that decodes pictures was killed (exit code {other.wait()}); try again"))
