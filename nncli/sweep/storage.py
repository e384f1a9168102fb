"""Where the trials of a sweep are recorded: in a local file that takes many writers, or in a database."""

import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from weakref import finalize

import optuna
from filelock import FileLock
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock

from nncli.errors import NnError, reason
from nncli.paths import shown

AGAIN = "The same line again continues"
TRIES = 10  # to make the tables of a database, beside others that do the same
INSTALL = "pip install 'nncli[postgresql]'"
EXAMPLE = "postgresql://user@host/studies"
PATIENCE = 300.0  # seconds that a storage may be away
Result = TypeVar("Result")


class Lock(BaseJournalFileLock):
    """A lock that ends with its process; who takes it cuts off what a killed one left half-written."""

    def __init__(self, path: str) -> None:
        self.path, self.file = Path(path), FileLock(f"{path}.lock")

    def acquire(self) -> bool:
        self.file.acquire()
        try:
            with self.path.open("rb+") as log:
                if log.seek(0, os.SEEK_END) and log.seek(-1, os.SEEK_END) >= 0 and log.read(1) != b"\n":
                    log.seek(0)
                    log.truncate(log.read().rfind(b"\n") + 1)
        except BaseException:
            self.file.release()
            raise
        return True

    def release(self) -> None:
        self.file.release()


class Journal(JournalFileBackend):
    """Optuna's file, which says what is wrong with it."""

    def __init__(self, path: str) -> None:
        self.path, self.lock = Path(path), Lock(path)
        super().__init__(path, self.lock)

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        try:
            if self.path.stat().st_size < max(self._log_number_offset.values()):  # of the lines that were read
                raise FileNotFoundError

            yield from super().read_logs(log_number_from)
        except FileNotFoundError as error:
            raise NnError(f"{shown(self.path)} was deleted or cut while the sweep ran. {AGAIN}") from error
        except ValueError as error:
            raise damaged(self.path) from error

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        try:
            super().append_logs(logs)
        except OSError as error:
            raise NnError(f"{shown(self.path)}: {reason(OSError(error.errno, error.strerror))}. {AGAIN}") from error


def storage(url: str) -> Any:
    """A database by its address, or a local file that takes many writers."""
    if "://" not in url:
        try:
            return optuna.storages.JournalStorage(Journal(url))
        except (LookupError, TypeError, AttributeError, AssertionError) as error:  # JSON of something else
            raise damaged(Path(url)) from error
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    url = url.replace("postgresql://", "postgresql+psycopg://", 1)  # the driver of nncli[postgresql]
    for pause in (*range(TRIES), None):
        try:
            found = optuna.storages.RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
        except ImportError as error:
            kind = url.partition(":")[0]
            raise NnError(f"sweep.storage: {kind} needs a driver; for PostgreSQL: {INSTALL}") from error
        except (IntegrityError, ProgrammingError):  # another program makes the same tables now
            if pause is None:
                raise
            time.sleep(pause / 10)
        except Exception as error:  # of SQLAlchemy and its drivers
            raise NnError(f"sweep.storage cannot be opened: {str(error).splitlines()[0]}") from error
        else:
            finalize(found, found.engine.dispose)  # close its connections
            return found
    return None


def public(url: str) -> str:
    """The address of a database without its password; raises NnError if it is none."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        found = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise NnError(f"sweep.storage is no address of a database, such as {EXAMPLE}") from error
    return found._replace(password=None).difference_update_query(["password"]).render_as_string(hide_password=False)


def damaged(path: Path) -> NnError:
    """The message for a file that something else has changed."""
    return NnError(
        f"{shown(path)} is damaged. Its trials are intact. To go on: restore it from a backup, or delete it and type "
        "the same line again, which reads what has been tried from the trials"
    )


@contextmanager
def alone(there: Any, study: int) -> Iterator[None]:
    """Inside the block, no other program adds trials to a study in this storage."""
    if isinstance(there, optuna.storages.JournalStorage):
        assert isinstance(there._backend, Journal)
        with there._backend.lock.file:
            yield
        return
    from sqlalchemy import text

    if isinstance(there, optuna.storages.InMemoryStorage):
        yield
        return
    engine = there._backend.engine  # behind a cache
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # elsewhere, what is added twice is sorted out when it is claimed
            connection.execute(text("select pg_advisory_xact_lock(:study)"), {"study": study})
        yield


def patiently(act: Callable[[], Result]) -> Result:
    """Do something with the storage; while it cannot be reached, try again."""
    from sqlalchemy.exc import OperationalError

    end, pause = time.monotonic() + PATIENCE, 0.5
    while True:
        try:
            return act()
        except (optuna.exceptions.StorageInternalError, OperationalError) as error:
            if time.monotonic() > end:
                raise NnError(f"the storage of the sweep has been away for {PATIENCE:g} s: {error}") from error
            time.sleep(pause)
            pause = min(2 * pause, 10.0)
