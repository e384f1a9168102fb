"""What may be opened: regular files, and of a folder only what lies in it. Nothing is opened to find that out."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from nncli.errors import printable

ABSENT = "is not there"
SHOWN = 120  # characters of a path in a message
KINDS = {
    stat.S_IFDIR: "is a folder; name the file in it",
    stat.S_IFCHR: "is a device, not a file",
    stat.S_IFBLK: "is a device, not a file",
    stat.S_IFIFO: "is a pipe, not a file; save what comes out of it in a file first",
    stat.S_IFSOCK: "is a socket, not a file",
}


def refusal(path: str | Path, *, folders: bool = False) -> str:
    """Why a path cannot be read as a regular file (with `folders`, as one either); "" where it can."""
    if "\0" in str(path):
        return "holds the character NUL, which no path can"
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except OSError as error:
        return f"cannot be read: {(error.strerror or str(error)).lower()}"
    except ValueError:  # surrogates that stand for no byte
        return "holds characters that no path can"
    if kind == stat.S_IFREG or (folders and kind == stat.S_IFDIR):
        return ""
    return KINDS.get(kind, "is not a regular file")


def peculiar(path: str | Path) -> str:
    """Why a path names neither a regular file nor a folder; "" where it does, and where nothing is there yet."""
    why = refusal(path, folders=True)
    return "" if why == ABSENT else why


def named(path: str | Path) -> str:
    """A path as it can stand in a message: printable, and not longer than a person reads."""
    text = printable(str(path), lines=False)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 20]}…{text[-19:]}"


def home(text: str) -> Path:
    """A path with ~ replaced by a home folder, where there is such a person."""
    try:
        return Path(text).expanduser()
    except (RuntimeError, ValueError):
        return Path(text)


def lies_in(path: str | Path, *folders: str | Path) -> bool:
    """Whether a path is inside one of the folders once every link is followed."""
    try:
        real = Path(os.path.realpath(path))
        return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)
    except ValueError:  # NUL
        return False


def rooms(folder: Path) -> list[Path]:
    """Where a folder's files really lie: in it, and for one of the hub's cache also in `blobs`, which it links to."""
    real = Path(os.path.realpath(folder))
    return [real, real.parents[1] / "blobs"] if real.parent.name == "snapshots" else [real]


def straying_link(folder: Path) -> Path | None:
    """The first link in a folder that leads out of it."""
    within = rooms(folder)
    return next((link for link in _links(folder) if not lies_in(link, *within)), None)


def _links(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                yield Path(entry.path)
            elif entry.is_dir():
                yield from _links(Path(entry.path))
