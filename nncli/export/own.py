"""Which files nn has exported on this machine, by their digest: only these may run code without being asked."""

import hashlib
from pathlib import Path

from nncli.errors import NnError
from nncli.paths import cache_dir


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remember(path: Path) -> None:
    """Record a file that nn has just written."""
    place = _folder() / digest(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()


def require_own(path: Path) -> None:
    """Raise NnError for a file that nn did not export on this machine, or that has changed since."""
    if not (_folder() / digest(path)).is_file():
        raise NnError(
            f"{path} was not exported by nn on this machine, or has changed since, and opening a file of this format "
            "can run code in it; if you trust where it comes from, add --trust-file"
        )


def _folder() -> Path:
    return cache_dir() / "exports"
