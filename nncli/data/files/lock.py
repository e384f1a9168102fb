"""One process at a time makes a file; the others wait for it and find it made."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nncli.data.files.progress import say
from nncli.errors import DataError


@contextmanager
def alone(path: Path, doing: str) -> Iterator[None]:
    """Hold a lock beside `path`, waiting for whoever has it. The lock goes with its process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows has no flock; what two processes make at once is then made twice
        yield
        return
    lock = path.with_name(f".{path.name}.nn-lock")
    while True:
        with _opened(lock) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"another process is {doing}; waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
            if not _same(handle.fileno(), lock):  # its last holder took it away while we waited
                continue
            try:
                yield
            finally:
                if os.fstat(handle.fileno()).st_size == 0:  # we write nothing into one
                    lock.unlink(missing_ok=True)
            return


def _opened(lock: Path) -> IO[str]:
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        return os.fdopen(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666), "w")
    except OSError as problem:
        raise DataError(f"{lock} cannot be written to: {problem.strerror}") from problem


def _same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
