"""Opening a Hugging Face data set: from the hub at a fixed revision, or from a folder or file of one's own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset

READERS = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".arrow": "arrow"}
INSTALL = "data=huggingface needs Hugging Face's library: pip install 'nncli[huggingface]'"
SAVED = ("dataset_dict.json", "state.json")  # of a folder that save_to_disk wrote


def pinned(path: str, revision: str | None) -> str | None:
    """The commit of the hub's repository that is loaded; nothing for files of one's own."""
    here = Path(path).expanduser()
    if not here.exists() and (path.startswith((".", "/", "~")) or path.count("/") > 1):
        raise DataError(f"data.path is {path}, which is not there, and no name on the hub, such as stanfordnlp/imdb")
    if here.exists() or revision != "auto":
        return None if revision == "auto" else revision
    _library()
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        return None  # what is in the cache
    with _told(path):
        return HfApi().dataset_info(path).sha


def opened(
    path: str, name: str | None, revision: str | None, *, streaming: bool, samples: int | None
) -> dict[str, "Dataset"]:
    """Every split, images not decoded; of each the first `samples`. A stream is read no further than those."""
    if streaming and samples is None:
        raise DataError("data.streaming needs data.samples=N: how many samples, as they come, are kept")
    datasets = _library()
    with _told(path):
        found = _load(datasets, path, name, revision, streaming)
        splits = found if isinstance(found, dict) else {"train": found}
        return {split: _kept(datasets, some, samples) for split, some in splits.items()}


def _library() -> Any:
    """The `datasets` library, quiet and without telling anybody what is loaded."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when it is imported
    os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")
    try:
        import datasets
    except ImportError as problem:
        raise DataError(INSTALL) from problem
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_TELEMETRY = True  # another library may have imported it before the variable was set
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    return datasets


def _load(datasets: Any, path: str, name: str | None, revision: str | None, streaming: bool) -> Any:
    here = Path(path).expanduser()
    if here.is_dir() and any((here / mark).is_file() for mark in SAVED):
        return datasets.load_from_disk(str(here))
    if here.is_file():
        reader = READERS.get(here.suffix.lower())
        if reader is None:
            raise DataError(f"data.path is {path}; of files these are read: {', '.join(READERS)}")
        return datasets.load_dataset(reader, data_files=str(here), streaming=streaming)
    where = str(here) if here.exists() else path
    return datasets.load_dataset(where, name, revision=revision, streaming=streaming)


def _kept(datasets: Any, some: Any, samples: int | None) -> "Dataset":
    if isinstance(some, datasets.IterableDataset):
        features = some.features or some._resolve_features().features  # a stream of CSV learns its types by reading
        rows = list(_raw(datasets, some, features).take(samples))
        return datasets.Dataset.from_list(rows, features=_plain(datasets, features))
    some = some if samples is None else some.select(range(min(samples, len(some))))
    return _raw(datasets, some, some.features)


def _raw(datasets: Any, some: Any, features: Any) -> Any:
    """The same rows, their images as the files they are."""
    for column, feature in features.items():
        if isinstance(feature, datasets.Image):
            some = some.cast_column(column, datasets.Image(decode=False))
    return some


def _plain(datasets: Any, features: Any) -> Any:
    changed = {n: datasets.Image(decode=False) if isinstance(f, datasets.Image) else f for n, f in features.items()}
    return datasets.Features(changed)


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Whatever the library and its readers raise, as one line for a person."""
    try:
        yield
    except DataError:
        raise
    except Exception as problem:  # readers of many formats and a network client: no common class
        causes = [problem, problem.__cause__, problem.__context__]
        why = next((str(c).strip().splitlines()[0] for c in causes if c is not None and str(c).strip()), "")
        raise DataError(
            f"data.path is {path}, which could not be loaded: {type(problem).__name__}: {why}\n"
            "a set on the hub needs a network the first time, and its exact name, such as data.path=stanfordnlp/imdb; "
            "with the data at hand, say data.path=FOLDER"
        ) from problem
