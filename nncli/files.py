"""Whether a path may be read: only regular files, and in a folder only its own. Nothing is opened to find out."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from nncli.errors import printable

ABSENT = "does not exist"
SHOWN = 120  # characters of a path in a message
KINDS = {
    stat.S_IFDIR: "is a folder; name the file in it",
    stat.S_IFCHR: "is a device, not a file",
    stat.S_IFBLK: "is a device, not a file",
    stat.S_IFIFO: "is a pipe, not a file; save its output to a file first",
    stat.S_IFSOCK: "is a socket, not a file",
}


def refusal(path: str | Path, *, folders: bool = False) -> str:
    """Why a path cannot be read as a regular file, or with `folders` as a folder; "" if it can."""
    if "\0" in str(path):
        return "contains a null character, which is not allowed in a path"
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except OSError as error:
        return f"cannot be read: {(error.strerror or str(error)).lower()}"
    except ValueError:  # surrogates that do not encode a byte
        return "contains characters that are not allowed in a path"
    if kind == stat.S_IFREG or (folders and kind == stat.S_IFDIR):
        return ""
    return KINDS.get(kind, "is not a regular file")


def peculiar(path: str | Path) -> str:
    """Why a path is neither a regular file nor a folder; "" if it is one, or does not exist."""
    why = refusal(path, folders=True)
    return "" if why == ABSENT else why


def named(path: str | Path) -> str:
    """A path for a message: printable, and shortened in the middle."""
    text = printable(str(path), lines=False)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 20]}…{text[-19:]}"


def home(text: str) -> Path:
    """A path with ~ replaced by the home folder, if there is such a user."""
    try:
        return Path(text).expanduser()
    except (RuntimeError, ValueError):
        return Path(text)


def lies_in(path: str | Path, *folders: str | Path) -> bool:
    """Whether a path is inside one of the folders after following all links."""
    try:
        real = Path(os.path.realpath(path))
        return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)
    except ValueError:  # NUL
        return False


def rooms(folder: Path) -> list[Path]:
    """The folders that hold a folder's files: itself, and in the hub's cache also `blobs`, to which it links."""
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
