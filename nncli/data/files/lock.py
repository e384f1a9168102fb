"""A lock by which one process creates a file, while others wait for it and then use it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from nncli.data.files.progress import say
from nncli.errors import DataError


@contextmanager
def alone(path: Path, doing: str) -> Iterator[None]:
    """Hold a lock beside `path`, waiting until it is free. The lock ends with its process, however that ends.

    A process that is forked inside the block does not hold it: filelock closes it there.
    """
    lock = path.with_name(f".{path.name}.nn-lock")
    held = FileLock(lock)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            held.acquire(blocking=False)
        except Timeout:
            say(f"another process is {doing}; waiting for it")
            held.acquire()
    except OSError as problem:
        raise DataError(f"{lock} cannot be written to: {problem.strerror}") from problem
    try:
        yield
    finally:
        if held.is_locked:  # not in a process that was forked meanwhile
            with suppress(OSError):  # Windows does not delete an open file
                if lock.stat().st_size == 0:  # locks are empty files
                    lock.unlink()  # waiting processes notice that it is gone, and create another
            held.release()
