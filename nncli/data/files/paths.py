"""Paths of data in a config, checked before anything is opened."""

from pathlib import Path

from nncli.errors import DataError
from nncli.files import ABSENT, home, named, peculiar, refusal


def located(key: str, text: str) -> Path:
    """The path that `data.<key>` names. Raises DataError if it exists and is neither a file nor a folder."""
    path = home(text)
    why = peculiar(path)
    if not why and key == "root" and path.is_file():
        why = "is a file; name the folder that it is in"
    if why:
        raise DataError(f"data.{key}: {named(path)} {why}")
    return path


def regular(path: Path) -> Path:
    """The same path; raises DataError unless it is a regular file: a device has no end, and a pipe may block."""
    if (why := refusal(path)) not in ("", ABSENT):
        raise DataError(f"{named(path)} {why}")
    return path
