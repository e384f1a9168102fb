"""A run's folder: made without collisions, found by path, name or `last`, read and written atomically."""

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from nncli.errors import NnError
from nncli.paths import runs_dir, shown

_HALF_WRITTEN = re.compile(r"\..+\.\d+\.tmp|\.new-\d+\.ckpt")
LETTERS = "abcdefghijkmnpqrstuvwxyz"


@dataclass(frozen=True)
class RunFolder:
    """One run on disk. Every file in it is named here and nowhere else."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def words(self) -> Path:
        return self.path / "words.txt"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def name(self) -> str:
        """What a person types: `digits_mlp/1120-2104-kqzv` under the runs folder, else the path."""
        root = runs_dir()
        return self.path.relative_to(root).as_posix() if self.path.is_relative_to(root) else shown(self.path)

    def read(self, file: Path) -> dict[str, Any]:
        """summary.json or environment.json as a dict; empty when the file is not there or not readable."""
        try:
            found = json.loads(file.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, file: Path, facts: dict[str, Any]) -> None:
        write_atomic(file, (json.dumps(facts, indent=2) + "\n").encode())

    def is_busy(self) -> bool:
        """Whether a process is training in this folder now."""
        lock = lock_file(self)
        if lock is None:
            return True
        os.close(lock)
        return False

    def status(self) -> str:
        """running, finished, stopped, failed: why; a run that died without a word is `interrupted`."""
        said = str(self.read(self.summary).get("status", "interrupted"))
        return "interrupted" if said == "running" and not self.is_busy() else said


def write_atomic(path: Path, content: bytes) -> None:
    """Replace a file in one step; a reader sees the old or the new one, also after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def clean(run: RunFolder) -> None:
    """Remove what a killed process left half-written."""
    for path in (*run.path.glob(".*.tmp"), *run.checkpoints.glob(".*.tmp"), *run.checkpoints.glob(".new-*.ckpt")):
        if _HALF_WRITTEN.fullmatch(path.name) and not path.is_symlink():
            path.unlink()


def sync_folder(path: Path) -> None:
    """Make a rename in this folder durable, where the system can."""
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def lock_file(folder: RunFolder) -> int | None:
    """Hold the run for this process until the handle is closed; None when another one holds it."""
    try:
        import fcntl
    except ImportError:  # Windows has no flock; two processes on one run are then the person's to avoid
        return os.open(folder.config, os.O_RDONLY)
    handle = os.open(folder.path, os.O_RDONLY)  # the folder itself: files in it are replaced, it is not
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


_locks: set[int] = set()  # that this process holds


@contextmanager
def held(run: RunFolder) -> Iterator[None]:
    """Hold the run for as long as this lasts, so that no two processes train or mend it at once."""
    lock = lock_file(run)
    if lock is None:
        time.sleep(0.3)  # a listing looks at every lock for a moment
        lock = lock_file(run)
    if lock is None:
        raise NnError(f"{run.name} is being trained by another process now.")
    _locks.add(lock)
    try:
        yield
    finally:
        _locks.discard(lock)
        os.close(lock)


def _let_go() -> None:
    """A forked worker must not hold the run: it lives some seconds longer than a trainer that was killed."""
    while _locks:
        os.close(_locks.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def make(name: str, run_dir: str | None = None) -> RunFolder:
    """A new, empty run folder: exactly `run_dir`, or `runs/<name>/<time>-<4 letters>`."""
    try:
        return _make_exactly(Path(run_dir)) if run_dir else _make_new(runs_dir() / name)
    except OSError as error:
        raise NnError(
            f"the run folder cannot be written: {error.filename}: {error.strerror}. "
            "Choose another with run_dir=PATH or the variable NN_RUNS."
        ) from error


def _make_exactly(path: Path) -> RunFolder:
    if path.is_dir() and any(path.iterdir()):
        raise NnError(
            f"run_dir = {path}: this folder is not empty. Continue it with nn resume {path}, or name another."
        )
    path.mkdir(parents=True, exist_ok=True)
    (path / "checkpoints").mkdir()
    return RunFolder(path.absolute())


def _make_new(parent: Path) -> RunFolder:
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        letters = "".join(secrets.choice(LETTERS) for _ in range(4))
        path = parent / f"{datetime.now():%m%d-%H%M}-{letters}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        (path / "checkpoints").mkdir()
        return RunFolder(path)


def all_runs() -> Iterator[RunFolder]:
    """Every run under the runs folder, newest first."""
    found = [RunFolder(p.parent) for p in runs_dir().glob("*/*/config.yaml")]
    found += [RunFolder(p.parent) for p in runs_dir().glob("*/config.yaml")]
    yield from sorted(found, key=_started, reverse=True)


def _started(run: RunFolder) -> float:
    started = run.read(run.environment).get("started_at", 0.0)
    return float(started) if isinstance(started, int | float) else 0.0


def find(text: str) -> RunFolder:
    """A run by path, by name (`digits_mlp/1120-2104-kqzv`, `1120-2104-kqzv`, `kqzv`) or `last`."""
    if text != "last" and (Path(text) / "config.yaml").is_file():
        return RunFolder(Path(text).absolute())
    runs = list(all_runs())
    if text == "last":
        trained = [run for run in runs if not run.read(run.environment).get("trial")]
        if not trained:
            raise NnError(f"there is no run under {shown(runs_dir())} yet. Start one with nn train.")
        return trained[0]
    matches = [r for r in runs if text in (r.name, r.path.name, r.path.name.rsplit("-", 1)[-1])]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise NnError(f"{text} could be " + " or ".join(r.name for r in matches))
    near = get_close_matches(text, [r.name for r in runs] + [r.path.name for r in runs], 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise NnError(f"there is no run {text} under {shown(runs_dir())}.{hint} See nn runs ls.")


def remove(run: RunFolder) -> None:
    """Delete a run that nothing is training."""
    if run.is_busy():
        raise NnError(f"{run.name} is being trained now; stop it first.")
    shutil.rmtree(run.path)
