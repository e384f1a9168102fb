"""A CSV file as columns of text, read in pieces; its form is detected or given, and uneven lines are reported."""

import codecs
import csv
import io
import mmap
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nncli.data.files.csv_scan import BLOCK, Scan, scan
from nncli.data.files.encoding import read_text
from nncli.data.files.paths import regular
from nncli.errors import DataError

if TYPE_CHECKING:
    import polars as pl

SAMPLE = 1 << 18  # bytes from which the form is detected
SEPARATORS = ",;\t|"
STRETCH = 1 << 15  # rows at a time
OPENS = re.compile(rb"""(?:\A(?:\xef\xbb\xbf)?|[\r\n,;\t|])\"""")  # a quote at the beginning of a field
Header = Callable[[list[list[str]]], bool]


class CsvFile:
    """Rows are counted from 0 without the header and blank lines. In batches, columns are called "0", "1" …, whatever
    their `names` are, since polars gives some names a meaning. `header` may be a function of the first rows; without
    `keys`, messages do not mention data.separator, data.quote and data.names, which the source does not have. With
    `lenient`, uneven lines are left out, and are in `scan.uneven`.
    """

    def __init__(
        self,
        path: Path,
        *,
        separator: str = "auto",
        header: bool | Header | None = None,
        quote: str | None = '"',
        encoding: str = "auto",
        names: list[str] | None = None,
        keys: bool = True,
        lenient: bool = False,
    ) -> None:
        self.path, self.quote, self.keys, self.lenient = path, quote, keys, lenient
        self.source, self.encoding = as_utf8(path, encoding)
        rows = self._sample(separator)
        if not rows:
            raise DataError(f"{path} is empty")
        self.header = header if isinstance(header, bool) else (header or has_header)(rows)
        self.width = len(rows[0])
        self.names = names or _names(path, rows[0], self.header, keys)
        if len(self.names) != self.width:
            raise DataError(f"data.names has {len(self.names)} names, {path} has {self.width} columns")
        self.scan = self._scan()
        if len(self) == 0:
            more = f" of {self.width} fields" if self.scan.uneven else ""
            raise DataError(f"{path} has a header and no rows{more}")

    def __len__(self) -> int:
        return self.scan.records - len(self.scan.dropped)

    def batches(self) -> Iterator["pl.DataFrame"]:
        """All rows in order as text."""
        import polars as pl

        frame = pl.scan_csv(
            self.source,
            has_header=False,
            schema={str(place): pl.String for place in range(self.width)},
            separator=self.separator,
            quote_char=self.quote,
            empty_string_is_null=True,
            skip_lines=self.scan.leading,  # polars detects the form of a file from its first line
            truncate_ragged_lines=self.lenient,
            low_memory=True,
            glob=False,
        )
        low = self.scan.leading
        try:
            for batch in frame.collect_batches(chunk_size=STRETCH, engine="streaming", maintain_order=True):
                kept = self.scan.kept(low, low + len(batch))
                low += len(batch)
                yield batch if kept is None else batch.filter(pl.Series(kept))
        except pl.exceptions.PolarsError as problem:
            raise DataError(f"{self.path} cannot be read as CSV: {str(problem).splitlines()[0]}") from problem
        if low != self.scan.records:
            raise DataError(
                f"{self.path}: {self.scan.records:,} lines were counted and {low:,} read; check the quotes"
                + (", or set data.quote=null if quotes are plain text in it" if self.keys else "")
            )

    def place(self, row: int) -> str:
        """The location of a row, counted as in an editor."""
        return f"{self.path}, line {self.scan.line(row)}"

    def _sample(self, separator: str) -> list[list[str]]:
        """The first records, split."""
        if self.quote is not None and len(self.quote.encode()) != 1:
            raise DataError(f"data.quote is {self.quote}; it must be one character such as ' or null")
        raw = self.source if isinstance(self.source, bytes) else _head(self.source)
        text = raw[:SAMPLE].decode("utf-8-sig", "ignore")
        more = len(raw) > SAMPLE
        try:
            if separator == "auto":
                self.separator = max(SEPARATORS, key=lambda one: _evenness(self._split(text, one, more)))
            else:
                self.separator = {"tab": "\t", "\\t": "\t"}.get(separator, separator)
                if len(self.separator.encode()) != 1 or self.separator in f"\n\r{self.quote}":
                    raise DataError(f"data.separator is {separator}; it must be auto, tab or one character such as ;")
            return self._split(text, self.separator, more)
        except csv.Error as problem:
            raise DataError(
                f"{self.path} cannot be read as CSV: {problem}{'; see data.separator, data.quote' if self.keys else ''}"
            ) from problem

    def _split(self, text: str, separator: str, more: bool) -> list[list[str]]:
        quoting = csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE
        lines = io.StringIO(text, newline="")
        rows = [r for r in csv.reader(lines, delimiter=separator, quotechar=self.quote or '"', quoting=quoting) if r]
        return rows[:-1] if more and len(rows) > 1 else rows

    def _scan(self) -> Scan:
        def blocks() -> Iterator[bytes]:
            if isinstance(self.source, bytes):
                yield self.source
                return
            with self.source.open("rb") as file:
                while block := file.read(BLOCK):
                    yield block

        return scan(blocks(), self.path, self.separator, self.quote, self.width, self.header, self.keys, self.lenient)

    @property
    def spelled(self) -> str:
        """The separator as it is typed."""
        return "tab" if self.separator == "\t" else self.separator


def read_csv(path: Path, *, header: bool | Header, encoding: str = "auto") -> tuple["pl.DataFrame", CsvFile]:
    """A whole CSV file as text, with its columns by name; without a header they are column_1, column_2 …

    Quotes are plain text if no field begins with one.
    """
    import polars as pl

    file = CsvFile(path, header=header, quote=quote_of(path), encoding=encoding, keys=False)
    if not file.header:
        file.names = [f"column_{place + 1}" for place in range(file.width)]
    table = pl.concat(list(file.batches()), rechunk=True)
    table.columns = file.names
    return table, file


def quote_of(path: Path) -> str | None:
    """The quote of a file, or None if no field begins with one, since quotes are plain text then."""
    try:
        with regular(path).open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                return None
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                first = data.find(b'"')  # much faster than a pattern, in a file without quotes
                return '"' if first >= 0 and OPENS.search(data, max(0, first - 4)) else None
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror}") from problem


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def as_utf8(path: Path, encoding: str) -> tuple[Path | bytes, str]:
    """The file itself if it is UTF-8, else its text as UTF-8, and the name of its encoding."""
    if encoding in ("auto", "utf-8", "utf-8-sig"):
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            with path.open("rb") as file:
                marked, plain = file.read(3) == codecs.BOM_UTF8, True
                file.seek(0)
                while plain and (block := file.read(BLOCK)):
                    plain = b"\0" not in block and (b"\r" not in block or b"\n" in block)
                    decoder.decode(block)
                decoder.decode(b"", final=plain)
            if plain:
                return path, "utf-8-sig" if marked else "utf-8"
        except UnicodeDecodeError:
            pass  # read_text detects the encoding, or reports where it is not the given one
        except OSError as problem:
            raise DataError(f"{path} cannot be read: {problem.strerror}") from problem
    text, found = read_text(path, encoding)
    return text.encode(), found


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(SAMPLE + 1)


def _evenness(rows: list[list[str]]) -> tuple[bool, float, int]:
    """How well a separator fits: several fields, the same number in every row."""
    counts = [len(row) for row in rows]
    usual = max(set(counts), key=counts.count, default=0)
    return usual > 1, counts.count(usual) / max(1, len(counts)), usual


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row is a header: no name is a number, and a column below has numbers, or none has its name."""
    first, below = [field.strip() for field in rows[0]], [row for row in rows[1:] if len(row) == len(rows[0])]
    if any(is_number(field) or field == "?" for field in first) or not any(first):
        return False
    columns = [{row[place].strip() for row in below} for place in range(len(first))]
    if any(is_number(value) for values in columns for value in values):
        return True
    return not any(name in values for name, values in zip(first, columns, strict=True))


def _names(path: Path, first: list[str], header: bool, keys: bool) -> list[str]:
    if not header:
        return [f"c{place}" for place in range(len(first))]
    names = [name.strip() or f"c{place}" for place, name in enumerate(first)]
    first_of: dict[str, int] = {}
    for place, name in enumerate(names):
        if first_of.setdefault(name, place) != place:
            raise DataError(
                f"{path}: columns {first_of[name]} and {place} (counted from 0) are both called '{name}'; "
                f"rename one{', or name all with data.names=[…]' if keys else ''}"
            )
    return names
