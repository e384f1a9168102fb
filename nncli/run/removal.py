"""Delete runs: only what nn wrote in their folders is deleted.

The folder is renamed first, so that no other process sees half a run; its marker is deleted last, so that the next
process recognizes and deletes what a killed one left behind.
"""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from nncli.errors import NnError
from nncli.paths import PLOTS, runs_dir, shown
from nncli.run.folder import LETTERS, REMOVED, RunFolder, held, is_run, mark, marked
from nncli.run.written import CHECKPOINTS, FILES, HALF_WRITTEN, PLOT

_WANDB = r"wandb/(?:offline-)?run-\d{8}_\d{6}-\w+"
_MLFLOW = r"\d+"  # the number of an experiment
# what nn and the loggers write into a run's folder: nothing else is deleted with it
OWN_FILES = re.compile(
    rf"\.nn-run|{FILES}|checkpoints/{CHECKPOINTS}|{PLOTS}/{PLOT}|{HALF_WRITTEN}|tensorboard/hparams\.yaml|wandb/debug[\w-]*\.log"
    rf"|{_WANDB}(?:/.*)?|{_MLFLOW}/.+",
    re.DOTALL,
)
OWN_FOLDERS = re.compile(
    rf"checkpoints|{PLOTS}|tensorboard|wandb|\.trash|{_WANDB}(?:/.*)?|{_MLFLOW}(?:/.+)?", re.DOTALL
)
OWN_LINKS = re.compile(rf"wandb/(?:latest-run|debug[\w-]*\.log)|{_WANDB}(?:/.*)?", re.DOTALL)
EVENTS = re.compile(r"events\.out\.tfevents\.\d+\..+", re.DOTALL)  # of TensorBoard, in a folder of any name


class Contents(NamedTuple):
    """The contents of a run's folder: to be deleted, and to be kept."""

    files: list[Path]
    folders: list[Path]  # each before those in it
    strays: list[str]  # what nn did not write; a folder ends in /


def clean(run: RunFolder) -> None:
    """Remove what a killed process left half-written."""
    for path in (*run.path.glob(".*"), *run.checkpoints.glob(".*"), *run.plots.glob(".*")):
        written = re.fullmatch(HALF_WRITTEN, path.relative_to(run.path).as_posix())
        if written and path.is_file() and not path.is_symlink():
            path.unlink()


def removable(run: RunFolder, *, outside: bool = False) -> RunFolder:
    """The real folder of a run that may be deleted; raises NnError if it may not."""
    real, root = Path(os.path.realpath(run.path)), Path(os.path.realpath(runs_dir()))
    if os.path.islink(run.path):
        raise NnError(f"{run.name} is a link. To delete its target: nn runs rm {quote(shown(real))}")
    if not is_run(real):
        raise NnError(f"{run.name} is not a run: nn did not create this folder.")
    if Path(os.path.realpath(Path.cwd())).is_relative_to(real):
        raise NnError(f"{run.name} contains the current folder; change to another one first (cd).")
    if below := next(_runs_below(real), None):
        raise NnError(f"{run.name} contains another run, {shown(below)}; delete or move that one first.")
    if not outside and (real == root or not real.is_relative_to(root)):
        raise NnError(
            f"{run.name} is outside the folder of runs, {shown(runs_dir())}. "
            f"To delete it anyway, add --outside: nn runs rm {quote(run.name)} --outside"
        )
    return RunFolder(real)


def _runs_below(folder: Path) -> Iterator[Path]:
    for here, names, _ in os.walk(folder):
        for name in names:
            path = Path(here, name)
            if not path.is_symlink() and is_run(path):
                yield path


def contents(folder: Path, *, everything: bool = False) -> Contents:
    """Sort the contents of a run's folder; links are not followed."""
    found, logged = Contents([], [], []), _logged(folder)
    for here, below, names in os.walk(folder, onerror=_stop):
        for name in (*names, *below):
            path = Path(here, name)
            is_folder = name in below and not path.is_symlink()
            if everything or path in logged or _is_own(path, path.relative_to(folder).as_posix()):
                (found.folders if is_folder else found.files).append(path)
            else:
                found.strays.append(path.relative_to(folder).as_posix() + "/" * is_folder)
                if is_folder:
                    below.remove(name)  # so that it is not searched
    return found


def _logged(folder: Path) -> set[Path]:
    """The files of TensorBoard, and their folders, whose names the user chooses."""
    paths: set[Path] = set()
    for here, _, names in os.walk(folder):
        events = [path for name in names if EVENTS.fullmatch(name) and _is_plain(path := Path(here, name))]
        if events:
            settings = Path(here, "hparams.yaml")
            paths |= {*events, *events[0].parents, *([settings] if _is_plain(settings) else [])}
    return paths


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _stop(error: OSError) -> None:
    raise error


def _is_own(path: Path, name: str) -> bool:
    if path.is_symlink():
        return bool(OWN_LINKS.fullmatch(name))
    if path.is_dir():
        return bool(OWN_FOLDERS.fullmatch(name)) and (not name.isdigit() or _is_experiment(path))
    return path.is_file() and bool(OWN_FILES.fullmatch(name))


def _is_experiment(folder: Path) -> bool:
    """Whether this is the folder of an MLflow experiment, which is named by a number."""
    try:
        return bool(re.search(r"^experiment_id:", (folder / "meta.yaml").read_text(errors="replace"), re.MULTILINE))
    except OSError:
        return False


def remove(run: RunFolder, *, outside: bool = False, everything: bool = False) -> list[str]:
    """Delete a run that is not being trained; returns what is kept because nn did not write it."""
    real = removable(run, outside=outside)
    hidden = real.path.with_name(f"{REMOVED}{real.path.name}-{''.join(secrets.choice(LETTERS) for _ in range(4))}")
    try:
        with held(real):
            removable(run, outside=outside)  # it may have changed before it was locked
            if not marked(real):
                mark(real)
            os.rename(real.path, hidden)
            if not marked(RunFolder(hidden)):  # another folder took its place at the last moment
                os.rename(hidden, real.path)
                raise NnError(f"{run.name} was changed by another process; nothing was deleted.")
            left = _clear(hidden, real.path, everything=everything)
        _sweep(real.path.parent)
    except OSError as error:
        raise NnError(f"{run.name} could not be deleted: {error.filename}: {error.strerror}") from error
    return left


def _clear(hidden: Path, home: Path, *, everything: bool = False) -> list[str]:
    """Delete what may be deleted; if anything is left, the folder is renamed back."""
    marker = RunFolder(hidden).marker
    try:
        found = contents(hidden, everything=everything)
        for path in found.files:
            if path != marker:
                path.unlink(missing_ok=True)
        for path in reversed(found.folders):
            with suppress(OSError):  # it contains files of the user
                path.rmdir()
        left = found.strays or sorted(set(os.listdir(hidden)) - {marker.name})
        if not left:
            marker.unlink()
            hidden.rmdir()
            return []
    except OSError:
        _put_back(hidden, home)
        raise
    _put_back(hidden, home).marker.unlink(missing_ok=True)
    return left


def _put_back(hidden: Path, home: Path) -> RunFolder:
    """Rename the folder back."""
    if os.path.lexists(home):
        raise NnError(f"{shown(home)} was created again meanwhile; what was not deleted is in {shown(hidden)}.")
    os.rename(hidden, home)
    return RunFolder(home)


def _sweep(parent: Path) -> None:
    """Delete what killed processes had renamed but not yet deleted, here and in the folder of runs."""
    for folder, pattern in ((parent, f"{REMOVED}*"), (runs_dir(), f"{REMOVED}*"), (runs_dir(), f"*/{REMOVED}*")):
        for hidden in folder.glob(pattern):
            run, name = RunFolder(hidden), hidden.name.removeprefix(REMOVED).rpartition("-")[0]
            if name in ("", ".", "..") or hidden.is_symlink() or not marked(run):
                continue  # not renamed by nn
            with suppress(OSError, NnError), held(run):
                _clear(hidden, hidden.with_name(name))
