"""Read text files, and tables with a text column, as samples with a class and a location."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from nncli.data.files.csv_file import read_csv
from nncli.data.files.encoding import read_text
from nncli.data.files.paths import regular
from nncli.data.files.progress import shown
from nncli.errors import DataError

if TYPE_CHECKING:
    import polars as pl

Layout = Literal["folders", "lines", "column", "stream"]
TABLES = {".csv", ".tsv", ".parquet"}
TARGETS = ("target", "label", "labels", "class", "category", "sentiment", "y")
NOTES = {"license", "licence", "readme", "readme.md", "license.md"}
LOOKED_AT = 1000  # rows from which the text column is detected


@dataclass
class Samples:
    """Texts with a class each; `file` and `line` are their locations."""

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    file: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    encodings: set[str] = field(default_factory=set)
    groups: np.ndarray | None = None
    columns: tuple[str, str] | None = None  # of the text and of the class

    def where(self, row: int) -> str:
        name = self.files[self.file[row]]
        if not self.line[row]:
            return name
        return f"{name}, {'row' if self.columns else 'line'} {self.line[row]:,}"


def layout_of(path: Path) -> Layout:
    """The layout of texts and classes in a folder or file."""
    if not path.exists():
        raise DataError(f"data.path is {path}, which does not exist")
    if path.is_file():
        return "column" if path.suffix.lower() in TABLES else "stream"
    if any(files_of(folder, deep=True) for folder in folders_of(path)):
        return "folders"
    if not files_of(path):
        raise DataError(f"data.path is {path}, which holds no text files")
    return "stream" if len(files_of(path)) == 1 else "lines"


def folders_of(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))


def files_of(path: Path, deep: bool = False) -> list[Path]:
    """The text files of a folder: those that end in .txt, or if there are none, all except readme and license files."""
    found = sorted(p for p in (path.rglob("*") if deep else path.iterdir()) if p.is_file() and p.name[0] != ".")
    texts = [p for p in found if p.suffix.lower() == ".txt"]
    return texts or [p for p in found if p.name.lower() not in NOTES]


def read_folders(path: Path, encoding: str) -> Samples:
    """Each file is a sample, its folder the class."""
    if path.is_file():
        raise DataError(
            f"data.layout is folders, and {path} is a file; give the folder that has a folder for each class"
        )
    found = Samples()
    named = [(folder.name, file) for folder in folders_of(path) for file in files_of(folder, deep=True)]
    for label, file in shown(((1, pair) for pair in named), len(named), f"reading {path.name}"):
        text, name = read_text(file, encoding)
        if not text.strip():
            raise DataError(f"{file} is empty; leave it out, or write its text")
        _add(found, text, label, str(file), 0, name)
    if not named:
        raise DataError(f"{path} has no text files in folders, one for each class")
    return found


def read_lines(path: Path, encoding: str) -> Samples:
    """Each line is a sample, its file the class."""
    files = files_of(path) if path.is_dir() else []
    if not files:
        raise DataError(f"data.layout is lines, and {path} is no folder with a text file for each class")
    found = Samples()
    same_stem = len({file.stem for file in files}) == 1 and len(files) > 1
    for number, file in enumerate(files):
        text, name = read_text(file, encoding)
        lines = [
            (i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip()
        ]  # unlike splitlines, not at NEL
        if not lines:
            raise DataError(f"{file} is empty; leave it out, or write its lines")
        found.files.append(str(file))
        found.texts += [line for _, line in lines]
        found.line += [i for i, _ in lines]
        found.labels += [file.suffix[1:] if same_stem else file.stem] * len(lines)
        found.file += [number] * len(lines)
        found.encodings.add(name)
    return found


def read_column(path: Path, encoding: str, text: str, target: str, group: str | int | None, header: bool) -> Samples:
    """Each row of a table is a sample."""
    if path.is_dir():
        raise DataError(f"data.layout is column, and {path} is a folder; give a CSV or Parquet file")
    table, name = _table(path, encoding, header)
    if table.is_empty():
        raise DataError(f"{path} has no rows")
    text = _text_column(table, path) if text == "auto" else _there(table, text, "text", path)
    target = _target_column(table, text, path) if target == "auto" else _there(table, target, "target", path)
    if text == target:
        raise DataError(f"data.text and data.target are both {text}; {path} has {_listed(table)}")
    kept = {"text": table[text], "target": table[target]}
    for what, column in kept.items():
        if missing := column.null_count():
            first = int(column.is_null().arg_max() or 0) + 1
            raise DataError(
                f"{path}: {missing:,} of {len(column):,} rows have no value in the {what} column '{column.name}', "
                f"first row {first:,}; fill them in or remove them"
            )
    texts, labels = (column.cast(str).to_list() for column in kept.values())
    groups = (
        None
        if group is None
        else table[_there(table, str(group), "split.group", path)].cast(str).fill_null("").to_numpy()
    )
    count = len(table)
    rows = list(range(1, count + 1))
    return Samples(texts, labels, [str(path)], [0] * count, rows, {name}, groups, (text, target))


def read_long(path: Path, encoding: str) -> tuple[str, set[str]]:
    """One text, or all texts of a folder concatenated, and their encodings."""
    files = files_of(path, deep=True) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path} holds no files")
    pieces, names = zip(*(read_text(file, encoding) for file in files), strict=True)
    for file, piece in zip(files, pieces, strict=True):
        if not piece.strip():
            raise DataError(f"{file} is empty; leave it out, or write its text")
    return "\n".join(pieces), set(names)


def in_order(labels: set[str]) -> list[str]:
    """The names of classes sorted as numbers if all are integers, else alphabetically."""
    try:
        return sorted(labels, key=int)
    except ValueError:
        return sorted(labels)


def _add(found: Samples, text: str, label: str, file: str, line: int, encoding: str) -> None:
    found.texts.append(text)
    found.labels.append(label)
    found.file.append(len(found.files))
    found.files.append(file)
    found.line.append(line)
    found.encodings.add(encoding)


def _table(path: Path, encoding: str, header: bool) -> "tuple[pl.DataFrame, str]":
    import polars as pl
    from polars.exceptions import PolarsError

    regular(path)
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path, glob=False), "utf-8"
        table, file = read_csv(path, header=header, encoding=encoding)
        return table, file.encoding
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror}") from problem
    except PolarsError as problem:
        raise DataError(f"{path} cannot be read as a table: {str(problem).splitlines()[0]}") from problem


def _there(table: "pl.DataFrame", name: str, key: str, path: Path) -> str:
    if name not in table.columns:
        raise DataError(f"data.{key} is {name}, no column of {path}; it has {_listed(table)}")
    return name


def _text_column(table: "pl.DataFrame", path: Path) -> str:
    """The column with the longest texts."""
    import polars as pl

    start = table.head(LOOKED_AT)
    sizes = {c.name: c.str.len_chars().mean() or 0 for c in start.iter_columns() if c.dtype == pl.String}
    if not sizes:
        raise DataError(f"{path} has no column of text; it has {_listed(table)}")
    return max(sizes, key=lambda name: float(sizes[name]))  # pyright: ignore[reportArgumentType]


def _target_column(table: "pl.DataFrame", text: str, path: Path) -> str:
    others = [name for name in table.columns if name != text]
    named = {name.strip().lower(): name for name in reversed(others)}
    if found := next((named[name] for name in TARGETS if name in named), others[0] if len(others) == 1 else None):
        return found
    raise DataError(f"{path}: which column is the class? It has {_listed(table)}; set data.target=NAME")


def _listed(table: "pl.DataFrame") -> str:
    return ", ".join(table.columns[:20]) + (" …" if len(table.columns) > 20 else "")
