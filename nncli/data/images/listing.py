"""The image files in a folder or a zip, with the class and part of each."""

import hashlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from nncli.data.files.archive import zip_members
from nncli.errors import DataError

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".webp", ".tif", ".tiff"}
PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"}
PARTS |= {"test": "test", "testing": "test"}
SILENT = {"thumbs.db", "desktop.ini"}  # system files in folders
SHOWN = 5  # names in a message


class Listing(NamedTuple):
    """The pictures of a source, sorted, with name, class and part ("" if there are no parts)."""

    names: list[str]
    labels: list[str]
    parts: list[str]
    strays: list[str]  # files that are not pictures


def state(source: Path) -> str:
    """A digest that changes when files of the source are added, removed or changed."""
    digest = hashlib.sha256()
    try:
        if source.is_dir():
            for name, entry in sorted(_walk(source, "")):
                digest.update(f"{name}\0{entry.st_size}\0{entry.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        else:
            entry = source.stat()
            digest.update(f"{entry.st_size}\0{entry.st_mtime_ns}".encode())
    except OSError as problem:
        raise DataError(f"{problem.filename or source} cannot be read: {problem.strerror}") from problem
    return digest.hexdigest()[:16]


def files_in(source: Path) -> tuple[list[str], list[str]]:
    """The sorted names of the pictures in a folder or a zip, and those of its other files."""
    found = [name for name, _ in _walk(source, "")] if source.is_dir() else _zip_names(source)
    names, strays = [], []
    for name in sorted(found):
        path = PurePosixPath(name)
        if any(part.startswith((".", "__MACOSX")) for part in path.parts) or path.name.lower() in SILENT:
            continue
        (names if path.suffix.lower() in ENDINGS else strays).append(name)
    if not names:
        raise DataError(f"{source} holds no pictures ({', '.join(sorted(ENDINGS))})")
    return names, strays


def listing(source: Path) -> Listing:
    """Pictures are in class folders, these optionally in train, val and test, all of it optionally in other folders."""
    names, strays = files_in(source)
    folders = [PurePosixPath(name).parts[:-1] for name in names]
    above = _shared(set(folders))
    folders = [parts[above:] for parts in folders]
    given = {parts[0].lower() if parts else "" for parts in folders}
    in_parts = given <= PARTS.keys() and any(PARTS[name] == "train" for name in given)
    if in_parts:
        part_names, folders = [PARTS[parts[0].lower()] for parts in folders], [parts[1:] for parts in folders]
    else:
        part_names = [""] * len(names)
    if homeless := [name for name, parts in zip(names, folders, strict=True) if not parts]:
        raise DataError(f"{source}: in no class folder: {few(homeless)}; put each picture into the folder of its class")
    return Listing(names, [parts[0] for parts in folders], part_names, strays)


def few(names: list[str]) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _shared(folders: set[tuple[str, ...]]) -> int:
    """The number of folders above the class folders that all pictures share."""
    depth = 0
    while len({parts[depth : depth + 1] for parts in folders}) == 1 and all(
        len(parts) > depth + 1 for parts in folders
    ):
        depth += 1
    return depth


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if not entry.name.startswith(".") and not _leads_back(entry):
                    yield from _walk(folder / entry.name, f"{prefix}{entry.name}/")
            elif entry.is_file():
                yield prefix + entry.name, entry.stat()


def _leads_back(entry: os.DirEntry[str]) -> bool:
    """Whether a folder is a link to one that contains it, which would never end."""
    inside = os.path.realpath(os.path.dirname(entry.path)) + os.sep
    return entry.is_symlink() and inside.startswith(os.path.realpath(entry.path) + os.sep)


def _zip_names(source: Path) -> list[str]:
    try:
        with zipfile.ZipFile(source) as archive:
            return [member.filename for member in zip_members(source, archive, largest=1 << 50)]
    except (zipfile.BadZipFile, OSError) as problem:
        raise DataError(f"{source} is no folder and cannot be opened as a zip: {problem}") from problem
