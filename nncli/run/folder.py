"""A run's folder: created without collisions, found by path, name or `last`, read and written atomically."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from shlex import quote
from typing import Any

from nncli.errors import NnError
from nncli.files import named
from nncli.output import as_json
from nncli.paths import runs_dir, shown
from nncli.run.files import write_atomic, write_new
from nncli.run.summary import contents

LETTERS = "abcdefghijkmnpqrstuvwxyz"
FORMAT = 1  # of a run's folder, stored in its marker; older versions of nn do not touch newer formats
REMOVED = ".removed-"  # begins the name of a folder while it is being deleted


@dataclass(frozen=True)
class RunFolder:
    """One run on disk. Every file in it is named here and nowhere else."""

    path: Path

    @property
    def marker(self) -> Path:
        """The file that marks a folder as a run: written first, exclusively, and only by nn."""
        return self.path / ".nn-run"

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
    def plots(self) -> Path:
        return self.path / "plots"

    @property
    def shrink(self) -> Path:
        """The report of the last nn shrink; its picture is plots/shrink.png."""
        return self.path / "shrink.json"

    @property
    def pruned(self) -> Path:
        """Written by a sweep that ends this trial early: it stops after its next evaluation."""
        return self.path / "pruned"

    @property
    def name(self) -> str:
        """The name to type: `digits_mlp/1120-2104-kqzv` under the runs folder, else the path."""
        root = runs_dir()
        return self.path.relative_to(root).as_posix() if self.path.is_relative_to(root) else shown(self.path)

    def read(self, file: Path) -> dict[str, Any]:
        """summary.json or environment.json as a dict; empty if the file does not exist or is not as nn writes it."""
        return contents(file)[0]

    def faults(self) -> dict[str, str]:
        """What is wrong with each file that a listing reads; a missing file is not an error."""
        faults = {file.name: contents(file)[1] for file in (self.summary, self.environment)}
        return {name: text for name, text in faults.items() if text}

    def typed(self) -> list[str]:
        """words.txt: the words that were typed, line by line."""
        try:
            return self.words.read_text(encoding="utf-8", errors="replace").splitlines() if self.words.is_file() else []
        except OSError:
            return []

    def write(self, file: Path, facts: dict[str, Any]) -> None:
        write_atomic(file, (as_json(facts, indent=2) + "\n").encode())

    def is_busy(self) -> bool:
        """Whether a process is training in this folder now."""
        try:
            lock = lock_file(self)
        except OSError:  # it was deleted a moment ago
            return False
        if lock is None:
            return True
        os.close(lock)
        return False

    def status(self) -> str:
        """running, finished, stopped, failed: why; interrupted: its process was killed; unreadable: see faults()."""
        facts, fault = contents(self.summary)
        try:
            status = "unreadable" if fault else facts.get("status", "interrupted")
            return "interrupted" if status == "running" and not self.is_busy() else status
        except OSError:
            return "unreadable"


def require_writable(run: RunFolder) -> None:
    """Raise NnError if no checkpoint can be written to the run's folder, before anything else is read."""
    for path in (run.path, run.checkpoints):
        if path.exists() and not os.access(path, os.W_OK):
            raise NnError(f"{shown(path)} cannot be written to: check its permissions, or resume a copy of the run")


def lock_file(folder: RunFolder) -> int | None:
    """Lock the run for this process until the handle is closed; None if another process has locked it."""
    try:
        import fcntl
    except ImportError:  # Windows has no flock; there the user must not start two processes on one run
        return os.open(folder.config, os.O_RDONLY)
    handle = os.open(folder.path, os.O_RDONLY)  # the folder itself, since files in it are replaced
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


_locks: set[int] = set()  # held by this process


@contextmanager
def held(run: RunFolder) -> Iterator[None]:
    """Lock the run inside the block, so that no two processes train or repair it at the same time."""
    gone = NnError(f"{run.name} no longer exists: it was deleted or moved. To list the runs: nn runs ls")
    try:
        lock = lock_file(run)
        if lock is None:
            time.sleep(0.3)  # a listing holds each lock for a moment
            lock = lock_file(run)
    except FileNotFoundError as error:
        raise gone from error
    if lock is None:
        raise NnError(f"{run.name} is being trained by another process.")
    _locks.add(lock)
    try:
        if not run.path.exists():  # deleted while this waited
            raise gone
        yield
    finally:
        _locks.discard(lock)
        os.close(lock)


def _let_go() -> None:
    """Release the locks in a forked worker, which may outlive a killed trainer by some seconds."""
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
            f"the run's folder cannot be created: {error.filename}: {error.strerror}. "
            "Choose another one with run_dir=PATH or the variable NN_RUNS."
        ) from error


def _make_exactly(path: Path) -> RunFolder:
    run = RunFolder(path.absolute())
    if os.path.lexists(path) and not path.is_dir():
        raise NnError(f"run_dir = {path}: this is a file or a broken link. Name a new folder.")
    path.mkdir(parents=True, exist_ok=True)
    try:
        if any(path.iterdir()):
            raise FileExistsError
        mark(run)
        if len(os.listdir(path)) > 1:  # something came in between
            run.marker.unlink()
            raise FileExistsError
    except FileExistsError as error:
        go_on = f" Continue it with nn resume {path}, or name another." if is_run(path) else " Name a new one."
        raise NnError(f"run_dir = {path}: this folder is not empty.{go_on}") from error
    run.checkpoints.mkdir()
    return run


def _make_new(parent: Path) -> RunFolder:
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        letters = "".join(secrets.choice(LETTERS) for _ in range(4))
        path = parent / f"{datetime.now():%m%d-%H%M}-{letters}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        run = RunFolder(path)
        mark(run)
        run.checkpoints.mkdir()
        return run


def mark(run: RunFolder) -> None:
    """Mark a folder as a run; raises FileExistsError if another process has done so."""
    write_new(run.marker, f"{as_json({'run': FORMAT, 'nn': version('nncli')})}\n".encode())


def marked(run: RunFolder) -> dict[str, Any]:
    """The content of the marker; empty if there is none, or it is a link or something else."""
    if os.path.islink(run.marker) or not os.path.isfile(run.marker):
        return {}
    content = run.read(run.marker)
    return content if type(content.get("run")) is int and content["run"] >= 1 else {}


def is_run(path: Path) -> bool:
    """Whether nn created this folder: by its marker, or, for runs older than markers, by its files."""
    run = RunFolder(path)
    if path.name.startswith(REMOVED):
        return False
    return bool(marked(run)) or _is_unmarked_run(run)


def _is_unmarked_run(run: RunFolder) -> bool:
    if not all(map(os.path.isfile, (run.config, run.words, run.environment))) or not os.path.isdir(run.checkpoints):
        return False
    facts = run.read(run.environment)
    return isinstance(facts.get("started_at"), int | float) and isinstance(facts.get("versions"), dict)


def all_runs(*, begun: bool = True) -> Iterator[RunFolder]:
    """Every run under the runs folder, newest first; without `begun` also those that ended before they had a config."""
    paths = [path for pattern in ("*/*", "*") for path in runs_dir().glob(pattern)]
    folders = [RunFolder(path) for path in paths if not begun or os.path.isfile(path / "config.yaml")]
    begun_at = {run: float(run.read(run.environment).get("started_at") or 0.0) for run in folders if is_run(run.path)}
    yield from sorted(begun_at, key=begun_at.__getitem__, reverse=True)


def find(text: str, *, begun: bool = True) -> RunFolder:
    """A run by name (`digits_mlp/1120-2104-kqzv`, `1120-2104-kqzv`, `kqzv`), by `last`, or else by path."""
    if not text:
        raise NnError("the name of the run is empty; give a name (to list them: nn runs ls), a folder, or last.")
    runs = list(all_runs(begun=begun))
    if text == "last":
        trained = [run for run in runs if not run.read(run.environment).get("trial")]
        if not trained:
            raise NnError(f"there are no runs under {shown(runs_dir())} yet. To start one: nn train")
        return _readable(trained[0], begun)
    matches = [r for r in runs if text in (r.name, r.path.name, r.path.name.rsplit("-", 1)[-1])]
    if len(matches) > 1:
        raise NnError(f"{text} could be " + " or ".join(shown(r.path) for r in matches))
    if matches:
        return _readable(matches[0], begun)
    path = Path(text).absolute()
    if is_run(path):
        return _readable(RunFolder(path), begun)
    if os.path.isdir(path):
        raise NnError(
            f"{text} is not a run: nn did not create this folder. A copy of a run needs all of its files: "
            ".nn-run, config.yaml, words.txt, environment.json, checkpoints."
        )
    near = get_close_matches(text, [r.name for r in runs] + [r.path.name for r in runs], 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise NnError(f"no such run: {named(text)} is not under {shown(runs_dir())}.{hint} To list the runs: nn runs ls")


def _readable(run: RunFolder, begun: bool) -> RunFolder:
    """The run, unless it was made by a newer version of nn, or ended before its config was written."""
    mark = marked(run)
    if mark and mark["run"] > FORMAT:
        raise NnError(
            f"{run.name} was made by nn {mark.get('nn', 'of a later version')}, in a format that nn {version('nncli')} "
            "cannot read. Upgrade: pip install --upgrade nncli"
        )
    if begun and not os.path.isfile(run.config):
        raise NnError(f"{run.name} ended before its config was written. Delete it: nn runs rm {quote(run.name)}")
    return run
