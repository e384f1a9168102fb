"""Files in any encoding are read as what they say, or named."""

from pathlib import Path

import pytest

from nncli.data.files.encoding import common, decoded, read_text
from nncli.errors import DataError

GERMAN = "Übergrößenträger süß, schön, über Öl\n" * 5


@pytest.mark.parametrize(
    ("text", "written", "found"),
    [
        ("plain words\n", "ascii", "utf-8"),
        (GERMAN, "utf-8", "utf-8"),
        (GERMAN, "utf-8-sig", "utf-8-sig"),
        (GERMAN, "utf-16", "utf-16"),
        (GERMAN, "utf-16-le", "utf-16-le"),
        (GERMAN, "utf-16-be", "utf-16-be"),
        (GERMAN, "utf-32", "utf-32"),
        (GERMAN, "latin-1", "latin-1"),
        ("“quoted” – and an € as well, café", "cp1252", "cp1252"),
        ("Ελληνικά γράμματα και λέξεις", "utf-8", "utf-8"),
        ("中文文本的一个例子", "utf-16", "utf-16"),
        ("", "utf-8", "utf-8"),
    ],
)
def test_the_encoding_is_found_and_the_text_is_whole(text: str, written: str, found: str) -> None:
    assert decoded(text.encode(written), "auto", "x.txt") == (text, found)


def test_a_named_encoding_is_used_and_line_ends_are_made_alike() -> None:
    assert decoded("これは\r\nテスト\r".encode("shift_jis"), "shift_jis", "x") == ("これは\nテスト\n", "shift_jis")


def test_a_few_broken_places_do_not_turn_utf_8_into_something_else() -> None:
    text, found = decoded(GERMAN.encode() + b"\xff\n", "auto", "x")
    assert found == "utf-8-lossy"
    assert text == GERMAN + "�\n"
    assert decoded(GERMAN.encode() + b"\xff\n", "utf-8-lossy", "x")[0] == text


def test_a_byte_that_windows_does_not_know_is_still_read() -> None:
    assert decoded(b"caf\xe9 \x81", "auto", "x")[1] == "latin-1"


@pytest.mark.parametrize(
    ("raw", "encoding", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "auto", "x.txt is not text"),
        (bytes(range(1, 256)), "auto", "x.txt is not text"),
        (b"words and a \0 in between, and more words", "auto", "x.txt is not text"),
        (b"words and a \0", "utf-8", "x.txt is not text.*null character"),
        (b"fine\ncaf\xe9\n", "utf-8", r"x.txt, line 2: this is not utf-8.*data\.encoding=auto"),
        (b"words", "klingon", r"data\.encoding is klingon.*latin-1"),
        (b"words", "zlib", r"data\.encoding is zlib"),
        (b"words", "a\0b", r"data\.encoding is a"),
    ],
)
def test_what_is_no_text_is_named(raw: bytes, encoding: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        decoded(raw, encoding, "x.txt")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.txt cannot be read: No such file"):
        read_text(tmp_path / "gone.txt", "auto")


def test_files_that_one_encoding_reads_share_its_name() -> None:
    assert common({"utf-8"}) == "utf-8"
    assert common({"utf-8", "utf-8-sig"}) == "utf-8-sig"
    assert common({"utf-8", "latin-1"}) == "auto"
