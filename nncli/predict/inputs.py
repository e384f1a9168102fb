"""What a person names as input: files, folders, standard input or a text, for the samples that a model takes."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from itertools import groupby
from pathlib import Path

from nncli.data.images.listing import ENDINGS
from nncli.errors import DataError, NnError, reason
from nncli.files import ABSENT, home, named, refusal
from nncli.output import say
from nncli.predict.pieces import Piece, Samples, Source
from nncli.predict.rows import JSON

STDIN = "standard input"
ARRAYS = {".npz", ".npy"}
TABLES = {".csv", ".tsv", ".parquet", *JSON}
PICTURES = {*ENDINGS, ".zip"}
TEXT = {".txt"}
ROWS = "CSV, Parquet or JSON lines (.jsonl)"
TEXTS = f"a .txt file with a text in each line, a folder of .txt files, {ROWS} with a column of texts, a text in quotes"
TAKES = {
    "image": "pictures, folders or zips of them, or arrays (.npz, .npy)",
    "digits": "pictures, folders or zips of them, or arrays (.npz, .npy)",
    "table": f"{ROWS}, with a sample in each row",
    "text": TEXTS,
    "symbols": TEXTS,
    "series": f"{ROWS} with a step in each row, or arrays (.npz, .npy)",
    "numbers": f"arrays (.npz, .npy), or {ROWS} with a sample in each row",
}
SUFFIXES = {
    "image": PICTURES | ARRAYS,
    "digits": PICTURES | ARRAYS,
    "table": TABLES | TEXT,
    "text": TABLES | TEXT,
    "symbols": TABLES | TEXT,
    "series": TABLES | TEXT | ARRAYS,
    "numbers": TABLES | TEXT | ARRAYS,
}
EVERY = PICTURES | ARRAYS | TABLES | TEXT  # a file with any other suffix is tried
FOLDERS = ("image", "digits", "text", "symbols")  # whose samples can be files of a folder
MARKS = {b"{": ".jsonl", b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz"}  # how standard input begins


def takes(kind: str) -> str:
    """What can be named as input for a kind of samples."""
    return f"{TAKES[kind]}; - stands for {STDIN}"


@contextmanager
def opened(words: Sequence[str], samples: Samples) -> Iterator[list[Source]]:
    """The sources that the words name; standard input is kept in a file until they have been read."""
    with tempfile.TemporaryDirectory(prefix="nn-") as scratch:
        try:
            yield _sources(words, samples, Path(scratch))
        except NnError as error:
            raise type(error)(str(error).replace(f"{scratch}{os.sep}", "")) from error


def is_input(word: str) -> bool:
    """Whether a word can only be an input: it exists, is a text of several words, or is standard input."""
    return word == "-" or len(word.split()) > 1 or os.path.lexists(home(word))


def _sources(words: Sequence[str], samples: Samples, scratch: Path) -> list[Source]:
    kind, found = samples["kind"], list[Source]()
    for pictures, group in groupby(words, lambda word: kind in ("image", "digits") and _is_picture(word)):
        if pictures:
            from nncli.predict.pictures import of_files

            found.append(of_files([_checked(word, kind) for word in group], samples))
            continue
        for word in group:
            if kind in ("text", "symbols") and _is_text(word):
                from nncli.predict.texts import of_word

                found.append(of_word(word, samples))
            elif word == "-":
                found.append(_called(_source(_stored(kind, scratch), samples), "-"))
            else:
                found.append(_source(_checked(word, kind), samples))
    return found


def _called(source: Source, name: str) -> Source:
    """The same source under another name."""

    def pieces() -> Iterator[Piece]:
        for piece in source.pieces():
            yield replace(piece, files=None if piece.files is None else [name] * len(piece))

    return replace(source, name=name, pieces=pieces)


def _is_text(word: str) -> bool:
    """Whether a word is itself a text: several words that name no file."""
    return len(word.split()) > 1 and Path(word).suffix.lower() not in EVERY and not os.path.lexists(home(word))


def _is_picture(word: str) -> bool:
    """Whether a word names a picture, or a folder, of which several are decoded together."""
    return Path(word).suffix.lower() not in {".zip", *ARRAYS, *TABLES} and word != "-"


def _checked(word: str, kind: str) -> Path:
    """The file or folder that a word names, if samples of this kind can be read from it."""
    path = home(word)
    why = refusal(path, folders=kind in FOLDERS)
    if why == ABSENT:
        names = os.listdir(path.parent) if path.parent.is_dir() else []
        near = get_close_matches(path.name, names, n=1)
        hint = f". Did you mean {path.with_name(near[0])}?" if near else ""
        text = f"; for a text of one word: echo {named(path)} | nn predict RUN -" if kind == "text" else ""
        raise DataError(f"{named(path)} does not exist{hint or text}")
    if why:
        raise DataError(f"{named(path)} {why}")
    if path.is_file() and path.suffix.lower() in EVERY - SUFFIXES[kind]:
        raise DataError(f"{named(path)} cannot be an input of this model. It takes {takes(kind)}")
    return path


def _source(path: Path, samples: Samples) -> Source:
    kind, suffix = samples["kind"], path.suffix.lower()
    if suffix in ARRAYS:
        from nncli.predict.arrays import of_array

        return of_array(path, samples)
    if kind == "series":
        from nncli.predict.series import of_steps

        return of_steps(path, samples)
    if kind in ("table", "numbers"):
        from nncli.predict.tables import of_table

        return of_table(path, samples)
    if kind in ("text", "symbols"):
        from nncli.predict import texts

        if path.is_dir():
            return texts.of_folder(path, samples)
        return texts.of_column(path, samples) if suffix in TABLES else texts.of_lines(path, samples)
    from nncli.predict import pictures

    return pictures.of_zip(path, samples) if suffix == ".zip" else pictures.of_files([path], samples)


def _stored(kind: str, scratch: Path) -> Path:
    """Standard input in a file, whose suffix says what it is."""
    if sys.stdin.isatty():
        say("reading from the terminal; press Ctrl-D at the end", err=True)
    path = scratch / STDIN
    try:
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
    except OSError as problem:
        raise DataError(f"{STDIN} cannot be stored in {scratch.parent}: {reason(problem)}") from problem
    with path.open("rb") as file:
        head = file.read(1 << 12).lstrip()
    if not head:
        raise DataError(f"{STDIN} is empty; this model takes {TAKES[kind]}")
    return path.rename(path.with_suffix(next((end for mark, end in MARKS.items() if head.startswith(mark)), "")))
