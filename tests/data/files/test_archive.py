"""Hostile archives write nothing."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.data.files.archive import extract
from nncli.errors import DataError


def file(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = 4
    return member


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def write(path: Path, members: list[tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"data") if member.isfile() else None)
    return path


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_named_files_come_out_and_others_do_not(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.tar.gz", [file("set/one.bin"), file("set/readme.html")])
    extract(archive, ["set/one.bin"], tmp_path / "set")
    assert everything(tmp_path) == ["a.tar.gz", "set", "set/one.bin"]


@pytest.mark.parametrize(
    "hostile",
    [
        lambda outside: file("../canary"),
        lambda outside: file("set/../../canary"),
        lambda outside: file(str(outside / "canary")),
        lambda outside: file("C:\\canary"),
        lambda outside: link("set/one.bin", str(outside / "canary"), tarfile.SYMTYPE),
        lambda outside: link("set/two.bin", "../../canary", tarfile.SYMTYPE),
        lambda outside: link("set/two.bin", "../../canary", tarfile.LNKTYPE),
        lambda outside: link("set/two.bin", "", tarfile.CHRTYPE),
        lambda outside: link("set/two.bin", "", tarfile.FIFOTYPE),
    ],
)
def test_hostile_member_writes_nothing_anywhere(tmp_path: Path, hostile: Callable[[Path], tarfile.TarInfo]) -> None:
    inside = tmp_path / "root"
    inside.mkdir()
    archive = write(inside / "a.tar.gz", [file("set/one.bin"), hostile(tmp_path)])
    with pytest.raises(DataError, match="was refused"):
        extract(archive, ["set/one.bin"], inside / "set")
    assert everything(tmp_path) == ["root", "root/a.tar.gz"]


def test_cut_archive_leaves_no_half_folder(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.tar.gz", [file("set/one.bin")])
    archive.write_bytes(archive.read_bytes()[:60])
    with pytest.raises(DataError, match=r"a\.tar\.gz could not be unpacked"):
        extract(archive, ["set/one.bin"], tmp_path / "set")
    assert everything(tmp_path) == ["a.tar.gz"]


def test_missing_file_is_named(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.tar.gz", [file("set/one.bin")])
    with pytest.raises(DataError, match=r"no file set/two\.bin"):
        extract(archive, ["set/two.bin"], tmp_path / "set")


def zipped(path: Path, names: list[str], mode: int = 0, data: bytes = b"data") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            member = zipfile.ZipInfo(name)
            member.external_attr, member.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(member, data)
    return path


def test_named_files_of_a_zip_come_out(tmp_path: Path) -> None:
    extract(zipped(tmp_path / "a.zip", ["set/one.bin", "set/two.bin"]), ["set/two.bin"], tmp_path / "set")
    assert everything(tmp_path) == ["a.zip", "set", "set/two.bin"]
    assert (tmp_path / "set/two.bin").read_bytes() == b"data"


@pytest.mark.parametrize("name", ["../canary", "set/../../canary", "/tmp/canary", "C:\\canary"])
def test_hostile_name_in_a_zip_writes_nothing(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "root"
    inside.mkdir()
    archive = zipped(inside / "a.zip", ["set/one.bin", name])
    with pytest.raises(DataError, match="was refused"):
        extract(archive, ["set/one.bin"], inside / "set")
    assert everything(tmp_path) == ["root", "root/a.zip"]


def test_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", ["set/one.bin"], mode=stat.S_IFLNK | 0o777, data=b"../../canary")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        extract(archive, ["set/one.bin"], tmp_path / "set")
    assert everything(tmp_path) == ["a.zip"]


def test_archives_that_unpack_to_too_much_are_refused(tmp_path: Path) -> None:
    large = zipped(tmp_path / "a.zip", ["set/one.bin"], data=bytes(1 << 20))
    member = tarfile.TarInfo("set/one.bin")
    member.size = 1 << 20
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as tar:
        tar.addfile(member, io.BytesIO(bytes(1 << 20)))
    for archive in (large, tmp_path / "b.tar.gz"):
        with pytest.raises(DataError, match=r"1,048,576 bytes in .* more than it may hold"):
            extract(archive, ["set/one.bin"], tmp_path / "set", largest=1 << 19)
    assert everything(tmp_path) == ["a.zip", "b.tar.gz"]


def test_broken_zip_leaves_no_half_folder(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", ["set/one.bin"], data=bytes(range(256)) * 40)
    whole = bytearray(archive.read_bytes())
    whole[60] ^= 255
    archive.write_bytes(whole)
    with pytest.raises(DataError, match=r"a\.zip could not be unpacked"):
        extract(archive, ["set/one.bin"], tmp_path / "set")
    assert everything(tmp_path) == ["a.zip"]
