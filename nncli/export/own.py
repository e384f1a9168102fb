"""Which files nn has written on this machine, by their digest.

Of exported files, only these may run code without being asked; of predictions, only these are overwritten.
"""

import hashlib
from pathlib import Path

from nncli.errors import NnError
from nncli.paths import cache_dir


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remember(path: Path, what: str = "exports") -> None:
    """Record a file that nn has just written."""
    place = cache_dir() / what / digest(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()


def is_own(path: Path, what: str = "exports") -> bool:
    """Whether nn wrote this file on this machine, and it has not changed since."""
    return (cache_dir() / what / digest(path)).is_file()


def require_own(path: Path) -> None:
    """Raise NnError for a file that nn did not export on this machine, or that has changed since."""
    if not is_own(path):
        raise NnError(
            f"{path} was not exported by nn on this machine, or has changed since, and opening a file of this format "
            "can run code in it; if you trust where it comes from, add --trust-file"
        )
