"""Extract only the expected files from a tar or zip archive."""

import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from nncli.errors import DataError

LARGEST = 16 << 30  # bytes that an archive may unpack to
MOST = 5_000_000  # files that it may contain
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)
Opened = Callable[[str], IO[bytes]]


def extract(archive: Path, names: list[str], folder: Path, largest: int = LARGEST) -> None:
    """Extract the named files of `archive` into `folder` without their paths; it is created whole or not at all.

    An archive with a link, a device, an absolute name or a `..`, or one that unpacks to more than `largest` bytes, is
    refused before anything is written.
    """
    try:
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    except OSError as problem:
        raise DataError(f"{folder.parent} cannot be written to: {problem.strerror}") from problem
    try:
        with (_zip if zipfile.is_zipfile(archive) else _tar)(archive, largest) as (files, opened):
            for name in names:
                if name not in files:
                    raise DataError(f"{archive} holds no file {name}")
                with opened(name) as source, (draft / PurePosixPath(name).name).open("wb") as target:
                    shutil.copyfileobj(source, target)
        if not folder.exists():
            os.replace(draft, folder)
    except BROKEN as problem:
        raise DataError(f"{archive} could not be unpacked: {problem}") from problem
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def safe(name: str) -> bool:
    """Whether a member's name stays inside its folder on every system."""
    parts = PurePosixPath(name.replace("\\", "/"))
    return not parts.is_absolute() and ".." not in parts.parts and ":" not in name and "\0" not in name


def zip_members(archive: Path, opened: zipfile.ZipFile, largest: int = LARGEST) -> list[zipfile.ZipInfo]:
    """The files of a zip, after checking all of them."""
    members = opened.infolist()
    _refuse_bomb(archive, len(members), sum(member.file_size for member in members), largest)
    for member in members:
        mode = member.external_attr >> 16
        _refuse_unsafe(archive, member.filename, plain=stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR))
    return [member for member in members if not member.is_dir()]


@contextmanager
def _zip(archive: Path, largest: int) -> Iterator[tuple[set[str], Opened]]:
    with zipfile.ZipFile(archive) as opened:
        yield {member.filename for member in zip_members(archive, opened, largest)}, opened.open


@contextmanager
def _tar(archive: Path, largest: int) -> Iterator[tuple[set[str], Opened]]:
    with tarfile.open(archive) as tar:
        members: dict[str, tarfile.TarInfo] = {}
        total = 0
        for member in tar:  # one by one, so that a bomb is refused before all of it has been read
            total += member.size
            _refuse_bomb(archive, len(members), total, largest)
            _refuse_unsafe(archive, member.name, plain=not (member.islnk() or member.issym() or member.issparse()))
            try:
                tarfile.data_filter(member, str(archive.parent))
            except tarfile.FilterError as problem:
                raise DataError(f"{archive} was refused: {problem}") from problem
            members[member.name] = member

        def opened(name: str) -> IO[bytes]:
            source = tar.extractfile(members[name])
            assert source is not None  # a regular file
            return source

        yield {name for name, member in members.items() if member.isfile()}, opened


def _refuse_bomb(archive: Path, count: int, total: int, largest: int) -> None:
    if count > MOST or total > largest:
        raise DataError(f"{archive} was refused: {total:,} bytes in {count:,} files are more than it may hold")


def _refuse_unsafe(archive: Path, name: str, *, plain: bool) -> None:
    if not plain:
        raise DataError(f"{archive} was refused: {name} is neither a file nor a folder")
    if not safe(name):
        raise DataError(f"{archive} was refused: {name} points outside the folder it is unpacked to")
