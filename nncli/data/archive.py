"""Taking expected files out of a tar archive, and nothing else."""

import os
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from nncli.errors import DataError


def extract(archive: Path, names: list[str], folder: Path) -> None:
    """Put the named files of `archive` into `folder`, by their last name; the folder appears whole or not at all.

    An archive with a link, a device, an absolute name or a `..` is refused before anything is written.
    """
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        with tarfile.open(archive) as tar:
            members = {member.name: member for member in tar.getmembers()}
            for member in members.values():
                _refuse_unsafe(archive, member)
            for name in names:
                if name not in members or not members[name].isfile():
                    raise DataError(f"{archive} holds no file {name}")
                source = tar.extractfile(members[name])
                assert source is not None  # a regular file
                with source, (draft / PurePosixPath(name).name).open("wb") as target:
                    shutil.copyfileobj(source, target)
        if not folder.exists():
            os.replace(draft, folder)
    except (tarfile.TarError, EOFError, OSError) as problem:
        raise DataError(f"{archive} could not be unpacked: {problem}") from problem
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _refuse_unsafe(archive: Path, member: tarfile.TarInfo) -> None:
    if not (member.isfile() or member.isdir()):
        raise DataError(f"{archive} was refused: {member.name} is neither a file nor a folder")
    if not safe(member.name):
        raise DataError(f"{archive} was refused: {member.name} points outside the folder it is unpacked to")


def safe(name: str) -> bool:
    """Whether a member's name stays inside the folder it is put in, on every system."""
    parts = PurePosixPath(name.replace("\\", "/"))
    return not parts.is_absolute() and ".." not in parts.parts and ":" not in name and "\0" not in name
