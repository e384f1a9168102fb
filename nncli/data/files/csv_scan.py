"""Scan the lines of a CSV file before it is read: where records begin, which are blank, whether all are as wide."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nncli.errors import DataError

BLOCK = 1 << 22  # bytes scanned together
RETURN, FEED = 13, 10
MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Scan:
    """Records are separated by line ends outside quotes; the first one may be a header."""

    records: int
    dropped: np.ndarray  # records that are not rows: the header, blank lines
    leading: int  # blank lines before the first other record
    inner: np.ndarray  # for each line end inside quotes, the record it is in
    uneven: dict[int, str]  # what is wrong with lines of another width, which are dropped too; by their number from 1

    def line(self, row: int) -> int:
        """The line of the file, from 1, in which a row begins."""
        return int(self.lines(np.array([row]))[0])

    def lines(self, rows: np.ndarray) -> np.ndarray:
        """The line in which each of several rows begins."""
        records = rows + np.searchsorted(self.dropped - np.arange(len(self.dropped)), rows, side="right")
        return records + 1 + np.searchsorted(self.inner, records)

    def blank(self) -> int | None:
        """The first blank line between rows."""
        rows = np.setdiff1d(np.arange(self.records), self.dropped)
        between = self.dropped[(self.dropped > rows[0]) & (self.dropped < rows[-1])]
        return None if not len(between) else int(between[0]) + 1 + int(np.searchsorted(self.inner, between[0]))

    def kept(self, low: int, high: int) -> np.ndarray | None:
        """A mask of the records that are rows; None if all are."""
        first, last = np.searchsorted(self.dropped, (low, high))
        if first == last:
            return None
        kept = np.ones(high - low, dtype=bool)
        kept[self.dropped[first:last] - low] = False
        return kept


def scan(
    blocks: Iterator[bytes],
    path: Path,
    separator: str,
    quote: str | None,
    width: int,
    header: bool,
    keys: bool,
    lenient: bool,
) -> Scan:
    """Scan every byte once, a block at a time; raises DataError at the first uneven line, unless it is lenient."""
    state = _Scanner(path, ord(separator), ord(quote) if quote else None, width, keys, lenient)
    for block in blocks:
        state.feed(block.removeprefix(MARK) if state.bytes == 0 else block)
    return state.end(header)


class _Scanner:
    """The state that is carried from block to block."""

    def __init__(self, path: Path, separator: int, quote: int | None, width: int, keys: bool, lenient: bool) -> None:
        self.path, self.separator, self.quote, self.width = path, separator, quote, width
        self.lenient, self.uneven = lenient, dict[int, str]()
        self.wrong: list[int] = []  # the records of uneven lines
        self.hint = ", or set data.quote=null if quotes are plain text in this file" if keys else ""
        self.advice = ", or check data.separator and data.quote" if keys else ""
        self.bytes = self.records = self.lines = 0
        self.open = False  # inside quotes at the end of the last block
        self.opened = 1  # the line of the last opening quote
        self.begins = 1  # the line in which the current record begins
        self.fields = 0  # separators of the current record
        self.length = 0  # bytes of the current record
        self.before = FEED  # the last byte
        self.blank: list[np.ndarray] = []
        self.inner: list[np.ndarray] = []

    def feed(self, block: bytes) -> None:
        data = np.frombuffer(block, dtype=np.uint8)
        ends, cuts = np.flatnonzero(data == FEED), np.flatnonzero(data == self.separator)
        feeds = ends
        if self.quote is not None and (self.open or self.quote in block):
            inside = self._quoted(data, feeds)
            ends, cuts = ends[~inside[ends]], cuts[~inside[cuts]]
            within = feeds[inside[feeds]]
            self.inner.append(self.records + np.searchsorted(ends, within))
        self._records(data, ends, cuts, feeds)
        self.lines += len(feeds)
        self.bytes += len(data)
        self.before = int(data[-1]) if len(data) else self.before

    def end(self, header: bool) -> Scan:
        if self.open:
            raise DataError(
                f"{self.path}, line {self.opened}: a quote opens here that is never closed; close it{self.hint}"
            )
        if self.length:  # no line end after the last record
            self.feed(b"\n")
        blank = np.concatenate([*self.blank, np.zeros(0, dtype=np.int64)])
        leading = int((blank == np.arange(len(blank))).sum())
        first = [leading] if header and leading < self.records else []
        inner = np.concatenate([*self.inner, np.zeros(0, dtype=np.int64)])
        dropped = np.union1d(blank, [*first, *self.wrong]).astype(np.int64)
        return Scan(self.records, dropped, leading, inner, self.uneven)

    def _quoted(self, data: np.ndarray, feeds: np.ndarray) -> np.ndarray:
        """A mask of the bytes inside quotes; a quote opens only at the beginning of a field."""
        quotes = data == self.quote
        inside = ((np.cumsum(quotes, dtype=np.uint32) + self.open) & 1).astype(bool)
        opening = np.flatnonzero(quotes & inside)
        previous = np.where(opening > 0, data[opening - 1], self.before)
        starts = np.isin(previous, np.array([self.separator, FEED, self.quote]))
        if not starts.all():
            line = self.lines + 1 + int(np.searchsorted(feeds, opening[~starts][0]))
            raise DataError(
                f"{self.path}, line {line}: a quote stands in the middle of a field, or one before it was not closed; "
                f"fix it{self.hint}"
            )
        if len(opening):
            self.opened = self.lines + 1 + int(np.searchsorted(feeds, opening[-1]))
        self.open = bool(inside[-1])
        return inside

    def _records(self, data: np.ndarray, ends: np.ndarray, cuts: np.ndarray, feeds: np.ndarray) -> None:
        upto = np.searchsorted(cuts, ends)
        counts = np.diff(upto, prepend=0)
        lengths = np.diff(ends, prepend=-1) - 1
        if not len(ends):
            self.fields, self.length = self.fields + len(cuts), self.length + len(data)
            return
        counts[0] += self.fields
        lengths[0] += self.length
        last = np.where(ends > 0, data[ends - 1], self.before)
        blank = (lengths == 0) | ((lengths == 1) & (last == RETURN))
        wrong = np.flatnonzero((counts != self.width - 1) & ~blank)
        for record in wrong.tolist():
            self._uneven(record, int(counts[record]) + 1, ends, feeds)
        if self.width > 1:
            self.blank.append(self.records + np.flatnonzero(blank))
        self.records += len(ends)
        self.fields, self.length = len(cuts) - int(upto[-1]), len(data) - 1 - int(ends[-1])
        self.begins = self._after(int(ends[-1]), feeds)

    def _after(self, end: int, feeds: np.ndarray) -> int:
        """The line that follows a line end of the block."""
        return self.lines + 1 + int(np.searchsorted(feeds, end, side="right"))

    def _uneven(self, record: int, fields: int, ends: np.ndarray, feeds: np.ndarray) -> None:
        line = self._after(int(ends[record - 1]), feeds) if record else self.begins
        text = f"this line has {fields} fields, the first one {self.width}"
        if not self.lenient:
            raise DataError(f"{self.path}, line {line}: {text}; fix the line{self.advice}")
        self.uneven[line] = text
        self.wrong.append(self.records + record)
