"""Image files in class folders, on disk or in a zip: decoded once into a file of uint8, or when they are needed."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nncli.data.files.download import cache_dir
from nncli.data.files.lock import alone
from nncli.data.files.progress import say, shown
from nncli.data.images import decode_pool
from nncli.data.images.decode import Form, Trouble, decoded, look, reader, reason
from nncli.data.images.listing import Listing, few, listing, state
from nncli.data.rows import InMemory, Mapped, Rows
from nncli.errors import DataError

MEASURED = 4096  # evenly spaced pictures from which the statistics of files are computed
SAMPLED = 1000  # evenly spaced pictures from which `auto` sizes are determined
SIDES = (16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224)
DISK_SHARE = 0.8  # of the free disk space that the decoded pictures may take by default
LISTED = 5  # unreadable pictures in a message
VERSION = 2  # of the cache
KEPT = ("x.npy", "names.npy", "part.npy", "y.npy", "classes.json")  # files of a folder in the cache


@dataclass(frozen=True)
class Wish:
    """The wanted form of every picture; None is determined from the pictures."""

    size: tuple[int, int] | None
    channels: int | None
    exact: bool = False


class Files(Rows):
    """Pictures that are read and decoded when they are needed."""

    decodes = True

    def __init__(self, source: Path, names: np.ndarray, y: Tensor, form: Form) -> None:
        self.source, self.names, self.form = source, names, form
        self.y = self.labels = y
        self._reader = (os.getpid(), reader(source))

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        images = np.empty((len(rows), *self.form[:3]), dtype=np.uint8)
        names = [str(name) for name in self.names[rows.numpy()]]
        for place, image in enumerate(decoded(self._read(), names, self.form)):
            if isinstance(image, Trouble):
                raise unreadable(self.source, [image], len(self))
            images[place] = image
        return torch.from_numpy(images), self.y.index_select(0, rows)

    def _read(self) -> Callable[[str], bytes]:
        if (
            self._reader[0] != os.getpid()
        ):  # a worker opens the zip itself, since forked processes share the position in a file
            self._reader = (os.getpid(), reader(self.source))
        return self._reader[1]

    def inputs(self) -> Iterator[Tensor]:
        """Some of the pictures, since decoding all of a large set would take as long as an epoch."""
        return (self.take(rows)[0] for rows in self.spread(MEASURED).split(self.at_once(MEASURED)))

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_reader": (0, None)}  # an open zip is not passed to other processes

    @property
    def nbytes(self) -> int:
        return len(self) * self.form.channels * self.form.height * self.form.width


@dataclass(frozen=True)
class Pictures:
    """All pictures of one source. `x` are their pixels, if decoded; labels are indices of the sorted classes."""

    source: Path
    form: Form
    classes: list[str]
    y: Tensor
    part: np.ndarray  # of str: train, val, test, or "" if the source has no parts
    kept: Path | None

    @cached_property
    def names(self) -> np.ndarray:
        if self.kept is None:
            return np.array(listing(self.source).names)
        return np.load(self.kept / "names.npy")

    @property
    def nbytes(self) -> int:
        return len(self.y) * self.form.channels * self.form.height * self.form.width

    def whole(self) -> tuple[Tensor, Tensor]:
        """All pixels and labels; pages of the file are read when they are accessed, and never written."""
        assert self.kept is not None
        return torch.from_numpy(np.load(self.kept / "x.npy", mmap_mode="c")), self.y

    def rows(self, which: Tensor, labels: Tensor, in_memory: bool) -> Rows:
        """Some of the pictures, with `labels` of their own."""
        if self.kept is None:
            return Files(self.source, self.names[which.numpy()], labels, self.form)
        x = np.load(self.kept / "x.npy", mmap_mode="r")
        if in_memory:
            return InMemory(torch.from_numpy(x[which.numpy()]), labels)
        return Mapped(x, labels, which)


def gather(source: Path, wish: Wish, keep: bool | Literal["auto"] = True) -> Pictures:
    """The pictures of a source, decoded once and cached if `keep` allows it."""
    seen = state(source)
    form = _settled(source, wish, seen)
    place = cache_dir("images") / f"{_digest(VERSION, source.resolve(), list(form))}-{seen}"
    if keep is not False:
        if pictures := _kept(source, form, place):
            return pictures
        try:
            with alone(place, f"decoding {source.name}"):
                pictures = _kept(source, form, place) or _made(source, form, place, must=keep is True)
        except OSError as problem:
            raise DataError(
                f"the decoded pictures cannot be kept in {place.parent}: {problem.strerror}; "
                "take data.cache=false, or NN_CACHE=FOLDER elsewhere"
            ) from problem
        if pictures:
            return pictures
    found = listing(source)
    _tell_strays(source, found)
    return Pictures(source, form, *_numbered(found), None)


def unreadable(source: Path, troubles: list[Trouble], count: int) -> DataError:
    lines = [f"{source}: {bad.name} cannot be read: {bad.reason}" for bad in sorted(troubles)[:LISTED]]
    if len(troubles) > LISTED:
        lines.append(f"and {len(troubles) - LISTED:,} more of {count:,} pictures; fix or remove them")
    return DataError("\n".join(lines))


def _settled(source: Path, wish: Wish, seen: str) -> Form:
    """The wish with open values determined from some of the pictures, which are cached."""
    if wish.size and wish.channels:
        return Form(wish.channels, *wish.size, wish.exact)
    memory = cache_dir("images") / f"look-{_digest(VERSION, source.resolve(), seen)}.json"
    try:
        side, channels = json.loads(memory.read_text())
    except (OSError, ValueError, TypeError):  # missing, or not written by nn
        side, channels = _looked(source, listing(source).names)
        _write(memory, json.dumps([side, channels]).encode())
    height, width = wish.size or side
    return Form(wish.channels or channels, height, width, wish.exact)


def _looked(source: Path, names: list[str]) -> tuple[list[int], int]:
    """The common size of all pictures, else a square of about the median area; 1 or 3 channels."""
    read, troubles, seen = reader(source), [], []
    for number in np.unique(np.linspace(0, len(names) - 1, SAMPLED).astype(int)):
        try:
            seen.append(look(read(names[number])))
        except Exception as problem:  # a broken file may make PIL raise anything
            troubles.append(Trouble(names[number], reason(problem)))
    if not seen:
        raise unreadable(source, troubles, len(names))
    sizes = np.array([size[:2] for size in seen])
    channels = 3 if any(size[2] for size in seen) else 1
    if (sizes == sizes[0]).all() and sizes[0].max() <= SIDES[-1]:
        return sizes[0].tolist(), channels
    side = max([s for s in SIDES if s <= np.sqrt(np.median(sizes.prod(axis=1)))] or SIDES[:1])
    return [side, side], channels


def _made(source: Path, form: Form, place: Path, *, must: bool) -> Pictures | None:
    """Decode all into the cache folder `place`; None if that would fill the disk, unless it is a `must`."""
    found = listing(source)
    needed, free = len(found.names) * form.channels * form.height * form.width, shutil.disk_usage(place.parent).free
    if must and needed >= free:
        raise DataError(
            f"data.cache is true, but the decoded pictures take {needed / 1e9:.1f} GB and {place.parent} has "
            f"{free / 1e9:.1f} GB free: take a smaller data.size, data.cache=false, or NN_CACHE=FOLDER elsewhere"
        )
    if not must and needed >= DISK_SHARE * free:
        return None
    _tell_strays(source, found)
    draft = Path(tempfile.mkdtemp(dir=place.parent, prefix=".draft-"))
    try:
        _decode_all(source, found, form, draft)
        for old in place.parent.glob(f"{place.name.partition('-')[0]}-{'?' * 16}"):  # of an earlier state of the source
            _delete(old)
        os.replace(draft, place)
    finally:
        _delete(draft)
    return Pictures(source, form, *_numbered(found), place)


def _delete(folder: Path) -> None:
    """Delete cached files, and their folder if it contains nothing else; links are not followed."""
    if not folder.is_symlink():
        with suppress(OSError):
            for name in KEPT:
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()


def _decode_all(source: Path, found: Listing, form: Form, folder: Path) -> None:
    target, count = folder / "x.npy", len(found.names)
    np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8, shape=(count, *form[:3]))
    with target.open(
        "r+b"
    ) as file:  # allocate the space now: on a full disk, writing to the map would kill the process
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, target.stat().st_size)
    steps = ((step[0], step) for step in decode_pool.fill(source, found.names, target, form))
    if troubles := [bad for _, more in shown(steps, count, f"decoding {source.name}") for bad in more]:
        raise unreadable(source, troubles, count)
    classes, y, part = _numbered(found)
    np.save(folder / "names.npy", np.array(found.names))
    np.save(folder / "part.npy", part)
    np.save(folder / "y.npy", y.numpy())
    (folder / "classes.json").write_text(json.dumps(classes))


def _kept(source: Path, form: Form, place: Path) -> Pictures | None:
    """The pictures decoded earlier; None if there are none, or they are incomplete."""
    try:
        np.load(place / "x.npy", mmap_mode="r")
        y, part = np.load(place / "y.npy"), np.load(place / "part.npy")
        return Pictures(
            source, form, json.loads((place / "classes.json").read_text()), torch.from_numpy(y), part, place
        )
    except (OSError, ValueError):
        return None


def _numbered(found: Listing) -> tuple[list[str], Tensor, np.ndarray]:
    classes, y = np.unique(np.array(found.labels), return_inverse=True)
    return classes.tolist(), torch.from_numpy(y.astype(np.int64)), np.array(found.parts)


def _tell_strays(source: Path, found: Listing) -> None:
    if found.strays:
        say(f"note: {source}: {few(found.strays)}: no picture, left out")


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _write(path: Path, data: bytes) -> None:
    """Move the cache into place in one step; a failure only costs time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".draft-", delete=False) as draft:
            draft.write(data)
        os.replace(draft.name, path)
    except OSError:
        return
