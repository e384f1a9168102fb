"""CSV files of every form are read, and uneven ones refused at their line."""

import csv
import random
from pathlib import Path

import pytest

from nncli.data.files import csv_scan
from nncli.data.files.csv_file import CsvFile
from nncli.errors import DataError


def write(text: str | bytes, name: str = "x.csv") -> Path:
    path = Path(name)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(file: CsvFile) -> list[tuple[str | None, ...]]:
    return [row for batch in file.batches() for row in batch.rows()]


@pytest.mark.parametrize(
    ("text", "separator", "header", "encoding", "names"),
    [
        ("a,b\n1,2\n3,4\n", ",", True, "utf-8", ["a", "b"]),
        ("1,2\n3,4", ",", False, "utf-8", ["c0", "c1"]),
        ("a;b\r\n1;2,5\r\n3;4,5\r\n", ";", True, "utf-8", ["a", "b"]),
        ("a\tb\n1\t2\n", "\t", True, "utf-8", ["a", "b"]),
        ("39, State-gov, <=50K\n50, Private, >50K\n", ",", False, "utf-8", ["c0", "c1", "c2"]),
        ("\n\na,b\n\n1,2\n\n", ",", True, "utf-8", ["a", "b"]),
        ('"a\nx","b,""c"""\n"1\n\n",2\n', ",", True, "utf-8", ["a\nx", 'b,"c"']),
        (",x\n0,1\n1,2\n", ",", True, "utf-8", ["c0", "x"]),
        ("yes,no\nno,yes\nyes,yes\n", ",", False, "utf-8", ["c0", "c1"]),
        ("\ufeffå,b\n1,2\n", ",", True, "utf-8-sig", ["å", "b"]),
        ("cafés,b\nété,2\n".encode("latin-1"), ",", True, "latin-1", ["cafés", "b"]),
        ("“å”,b\n1,2\n".encode("cp1252"), ",", True, "cp1252", ["“å”", "b"]),
        ("å,b\n1,2\n".encode("utf-16"), ",", True, "utf-16", ["å", "b"]),
        ("a,b\r1,2\r3,4\r", ",", True, "utf-8", ["a", "b"]),
        ("alone\n1\n\n2\n", ",", True, "utf-8", ["alone"]),
    ],
)
def test_the_form_is_found(text: str | bytes, separator: str, header: bool, encoding: str, names: list[str]) -> None:
    file = CsvFile(write(text))
    assert (file.separator, file.header, file.encoding, file.names) == (separator, header, encoding, names)
    assert len(rows(file)) == len(file)


def test_rows_and_lines_are_those_of_the_standard_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_scan, "BLOCK", 61)  # so that fields, quotes and line ends are cut anywhere
    monkeypatch.setattr("nncli.data.files.csv_file.BLOCK", 61)
    draw = random.Random(0)
    for trial in range(30):
        end = draw.choice(["\n", "\r\n"])
        with open("x.csv", "w", newline="") as out:
            writer = csv.writer(out, lineterminator=end)
            writer.writerow(["a", "b", "c"])
            for row in range(40):
                writer.writerow([row, *(draw.choice(["", "x,y", 'say "no"', "two\nlines", "plain é"]) for _ in "bc")])
                if draw.random() < 0.2:
                    out.write(end)
        file = CsvFile(Path("x.csv"), header=True)
        with open("x.csv", newline="") as f:
            reader, begins, wanted = csv.reader(f), [], []
            before = 0
            for record in reader:
                if record:
                    begins.append(before + 1)
                    wanted.append(tuple(field or None for field in record))
                before = reader.line_num
        assert rows(file) == wanted[1:], trial
        assert [file.scan.line(row) for row in range(len(file))] == begins[1:], trial


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("", {}, r"x\.csv is empty"),
        ("\n\n", {}, r"x\.csv is empty"),
        ("a,b\n", {}, "has a header and no rows"),
        ("a,b\n1,2\n3\n4,5\n", {}, r"x\.csv, line 3: this line has 1 fields, the first one 2"),
        ('a,b\n"1\n",2\n3,4,5\n', {}, r"line 4: this line has 3 fields, the first one 2"),
        ("a,b,a\n1,2,3\n", {}, r"columns 0 and 2 .* are both called 'a'"),
        ('a,b\n1,"2\n3,4\n', {}, r"line 2: a quote opens here that is never closed.*data\.quote=null"),
        ('a,b\n1,2"x\n3,4"\n', {}, r"line 2: a quote stands in the middle of a field"),
        ("a,b\n1,2\n", {"separator": ";;"}, r"data\.separator is ;;; it must be auto, tab or one character"),
        ("a,b\n1,2\n", {"quote": "''"}, r"data\.quote is ''; it must be one character"),
        ("a,b\n1,2\n", {"names": ["x"]}, r"data\.names has 1 names, x\.csv has 2 columns"),
        ("å\n1\n".encode("latin-1"), {"encoding": "utf-8"}, r"x\.csv, line 1: this is not utf-8"),
        (b"PK\x03\x04\x00\x00\x00\x00\xff\xfe", {}, "is not text"),
    ],
)
def test_a_broken_file_is_refused_at_its_line(text: str, words: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        CsvFile(write(text), **words)  # pyright: ignore[reportArgumentType]


def test_quotes_may_be_plain_text() -> None:
    file = CsvFile(write('a,b\n5" disk,2\n3" disk,4\n'), quote=None)
    assert rows(file) == [('5" disk', "2"), ('3" disk', "4")]
