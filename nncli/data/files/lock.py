"""One process at a time makes a file; the others wait for it and find it made."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from nncli.data.files.progress import say
from nncli.errors import DataError


@contextmanager
def alone(path: Path, doing: str) -> Iterator[None]:
    """Hold a lock beside `path`, waiting for whoever has it. The lock goes with its process, however that ends.

    A process that is forked meanwhile does not hold it: filelock closes it there.
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
        if held.is_locked:  # not so in a process that was forked meanwhile
            with suppress(OSError):  # Windows keeps a file that is open
                if lock.stat().st_size == 0:  # nothing is written into one
                    lock.unlink()  # whoever waits for this one sees that it is gone, and takes another
            held.release()
