"""Open a table, CSV or Parquet, and read through it once."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.data.files.csv_file import SEPARATORS, CsvFile, has_header, quote_of
from nncli.data.files.encoding import DETECTED
from nncli.data.files.parquet_file import ParquetFile, is_parquet
from nncli.data.numbers import Samples
from nncli.data.tables.cells import plain
from nncli.data.tables.columns import Kind, Look
from nncli.errors import DataError
from nncli.files import ABSENT, named, refusal

if TYPE_CHECKING:
    import polars as pl

File = CsvFile | ParquetFile
SHOWN = 20  # names in a message
PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "a zip or an Excel file", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}


@dataclass(frozen=True)
class Form:
    """The form of a CSV file; values of `auto` are detected."""

    separator: str
    header: Any  # true, false or auto, or a function of the first rows
    quote: str | None
    encoding: str
    names: list[str] | None


def open_table(path: Path, form: Form, key: str = "") -> File:
    """The file that `data.<key>` names, if it is in a config; Parquet is recognized by its first bytes."""
    told = f"data.{key}: " if key else ""
    if (why := refusal(path)) == ABSENT:
        names = [other.name for other in path.parent.glob("*")] if path.parent.is_dir() else []
        near = get_close_matches(path.name, names, n=1)
        hint = f"; did you mean {path.parent / near[0]}?" if near else ""
        raise DataError(f"{told}there is no file {path}{hint}")
    if why:
        raise DataError(f"{told}{named(path)} {why}")
    try:
        if is_parquet(path):
            return ParquetFile(path, form.names)
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as problem:
        raise DataError(f"{told}{path} cannot be read: {problem.strerror}") from problem
    if (packed := next((name for mark, name in PACKED.items() if head.startswith(mark)), None)) is not None:
        raise DataError(f"{told}{path} is {packed}; unpack it, or save it as CSV or Parquet")
    return CsvFile(
        path,
        separator=form.separator,
        header=None if form.header == "auto" else form.header,
        quote=form.quote,
        encoding=form.encoding,
        names=form.names,
        keys=bool(key),
        lenient=not key,
    )


def open_rows(path: Path, samples: Samples) -> File:
    """A file of rows to encode, which has the input columns in any order, or in that of training if it has no names.

    Its separator and encoding are detected again. The target may be missing. Uneven lines of a CSV file are left out.
    """
    told, inputs = samples.get("form", {}), list(samples.get("kinds") or samples.get("columns") or ())
    quote = told.get("quote", '"')
    separator, encoding = told.get("separator", "auto"), told.get("encoding", "auto")

    def header(rows: list[list[str]]) -> bool:
        named = bool(inputs) and set(inputs) <= {cell.strip() for cell in rows[0]}
        return named or (has_header(rows) if told.get("header", "auto") == "auto" else told["header"])

    form = Form(
        separator="auto" if separator in (*SEPARATORS, "tab") else separator,
        header=header,
        quote=quote_of(path) if quote == '"' and path.is_file() else quote,
        encoding="auto" if encoding in DETECTED else encoding,
        names=None,
    )
    file = open_table(path, form)
    if file.header is False and samples["kind"] in ("text", "series"):
        file.names = [f"column_{place + 1}" for place in range(len(file.names))]  # as `read_csv` calls them
    if file.header is False or not set(inputs) <= set(file.names):
        every: list[str] = samples.get("names", inputs if file.header is False else [])
        forms = every, [name for name in every if name != samples.get("target")]
        fits = [names for names in forms if len(names) == len(file.names)]
        if "names" in samples and not fits:
            raise DataError(f"{path} has {len(file.names)} columns; the file of training had {len(every)}: {every}")
        file.names = fits[0] if fits else file.names
    require(path, file.names, inputs)
    return file


def require(
    path: Path, there: Sequence[str], names: Sequence[str], why: str = ", which the net was trained on"
) -> None:
    """Raise DataError if a file lacks columns, with the nearest of those that are there."""
    if lost := next((name for name in names if name not in there), None):
        near = get_close_matches(lost, there, n=1, cutoff=0.5)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise DataError(f"{named(path)} has no column '{lost}'{why}{hint}; it has {listed(there) or 'no columns'}")


def listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")


def rows_of(file: File) -> "Iterator[tuple[int, pl.DataFrame]]":
    """The rows of a file by name, in pieces, each with the number of its first row."""
    low = 0
    for batch in file.batches():
        batch.columns = file.names
        yield low, batch
        low += batch.height


def column(file: File, key: str, name: str | int | None) -> str:
    """The column that `data.<key>` names, by its name, or if there is none, by its number from 0."""
    text = str(name)
    if text in file.names:
        return text
    if text.isdecimal() and int(text) < len(file.names):
        return file.names[int(text)]
    has = f"it has {', '.join(file.names[:SHOWN])}{' …' if len(file.names) > SHOWN else ''}"
    if name is None:
        raise DataError(f"data.{key} is null; name a column of {file.path}: {has}")
    near = get_close_matches(text, file.names, n=1, cutoff=0.5)
    hint = f"; did you mean data.{key}={near[0]}?" if near and key != "columns" else ""
    raise DataError(f"data.{key}: {file.path} has no column '{text}'{hint} ({has})")


def needed(file: File, names: Collection[str]) -> None:
    """Raise DataError if a file lacks columns of the training file."""
    there = set(file.names)
    if lost := [name for name in names if name not in there]:
        raise DataError(
            f"{file.path} has no column '{lost[0]}', which the training file has; both need the same columns"
        )


def survey(
    file: File, undecided: Collection[str], whole: Collection[str], missing: Collection[str]
) -> tuple[dict[str, Kind], dict[str, "pl.Series"]]:
    """In one pass, the kinds of the undecided columns, and all cells of those in `whole`."""
    import polars as pl

    looks = {name: Look(name, missing) for name in undecided}
    pieces: Mapping[str, list[pl.Series]] = {name: [] for name in whole}
    places = {name: str(place) for place, name in enumerate(file.names)}
    for batch in file.batches():
        for name, look in looks.items():
            look.add(cells(batch, places[name], file, name))
        for name, kept in pieces.items():
            kept.append(cells(batch, places[name], file, name))
    return (
        {name: look.kind(file.place) for name, look in looks.items()},
        {name: pl.concat(kept, rechunk=True) for name, kept in pieces.items()},
    )


def cells(batch: "pl.DataFrame", place: str, file: File, name: str) -> "pl.Series":
    """One column of a batch; raises DataError for lists and structures."""
    found = batch.get_column(place)
    if not plain(found):
        raise DataError(
            f"{file.path}: column '{name}' is of type {found.dtype}, which is no number, text or date; "
            f"leave it out with data.columns={{{name}:skip}}"
        )
    return found
