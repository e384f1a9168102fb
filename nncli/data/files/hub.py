"""Open a Hugging Face data set: from the hub at a fixed revision, or from a folder or file of the user's own."""

import glob
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.data.files.card import CARDS, SPLITS, STATE, check_card, check_files, check_folder, text_of
from nncli.data.files.paths import located
from nncli.errors import DataError
from nncli.files import named, refusal, rooms
from nncli.network import no_network

if TYPE_CHECKING:
    from datasets import Dataset

READERS = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".arrow": "arrow"}
INSTALL = "data=huggingface needs Hugging Face's library: pip install 'nncli[huggingface]'"
HINT = (
    "a set on the hub needs a network the first time, and its exact name, such as data.path=stanfordnlp/imdb; "
    "if you have the data, set data.path=FOLDER"
)
HERE = "look at what it holds: files of one kind, with the same columns in each, and a README.md that describes them"
ON_HUB = re.compile(r"[\w.-]+(?:/[\w.-]+)?", re.ASCII)


def pinned(path: str, revision: str | None) -> str | None:
    """The commit of the hub's repository that is loaded; None for the user's own files."""
    if _own(path) or revision != "auto":
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
    """All splits with at most `samples` rows each, and images not decoded. A stream is read no further."""
    if streaming and samples is None:
        raise DataError("data.streaming needs data.samples=N: how many samples, as they come, are kept")
    datasets, own = _library(), _own(path)
    fence = no_network(f"data.path is {named(path)}, which", DataError) if own else nullcontext()
    with _told(path, HERE if own else HINT), fence:
        found = _load(datasets, path, own, name, revision, streaming)
        splits = found if isinstance(found, dict) else {"train": found}
        return {split: _kept(datasets, some, samples) for split, some in splits.items()}


def picture_folders(path: str) -> list[str]:
    """The folders in which image files of a set may be: its own, or the library's folder of downloads."""
    from huggingface_hub import constants

    config, own = _library().config, _own(path)
    folders = [config.HF_DATASETS_CACHE, config.EXTRACTED_DATASETS_PATH, constants.HF_HUB_CACHE]
    folders += rooms(own) if own and own.is_dir() else []
    return [os.path.realpath(folder) + os.sep for folder in folders]


def picture(file: dict[str, Any], folders: list[str]) -> bytes:
    """The bytes of an image, from its row or from its file in one of the folders."""
    if file["bytes"]:
        return file["bytes"]
    if not os.path.realpath(file["path"]).startswith(tuple(folders)):
        raise ValueError(f"its file is {named(file['path'])}, which is not in the set's folder")
    if why := refusal(file["path"]):
        raise ValueError(f"its file {named(file['path'])} {why}")
    return Path(file["path"]).read_bytes()


def _own(path: str) -> Path | None:
    """The user's own folder or file that `data.path` names; None for a name on the hub."""
    here = Path(os.path.abspath(located("path", path)))
    if not refusal(here, folders=True):
        if "::" in str(here):  # for the library, the files of an archive
            raise DataError(f"data.path is {named(here)}; rename what has :: in its name")
        return here
    kinds = _library().packaged_modules._PACKAGED_DATASETS_MODULES  # names that refer to files of the current folder
    if not ON_HUB.fullmatch(path) or path.startswith(".") or path in kinds:
        raise DataError(
            f"data.path is {named(path)}, which does not exist, and no name on the hub, such as stanfordnlp/imdb"
        )
    return None


def _library() -> Any:
    """The `datasets` library, without output and telemetry."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read at import
    os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")
    try:
        import datasets
    except ImportError as problem:
        raise DataError(INSTALL) from problem
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_TELEMETRY = True  # another library may have imported it before the variable was set
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # pyright: ignore[reportAttributeAccessIssue]
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return datasets


def _load(datasets: Any, path: str, here: Path | None, name: str | None, revision: str | None, streaming: bool) -> Any:
    if here and here.is_dir():
        check_folder(here)
        if any(not refusal(here / mark) for mark in (SPLITS, STATE)):
            return datasets.load_from_disk(str(here))
    if here and here.is_file():
        reader = READERS.get(here.suffix.lower())
        if reader is None:
            raise DataError(f"data.path is {path}; of files these are read: {', '.join(READERS)}")
        return datasets.load_dataset(reader, data_files=glob.escape(str(here)), streaming=streaming)
    if here is None:
        _check_hub(path, revision)
    builder = datasets.load_dataset_builder(str(here or path), name, revision=revision)
    check_files(builder, path, here)
    if streaming:
        return builder.as_streaming_dataset()
    builder.download_and_prepare()
    return builder.as_dataset()


def _check_hub(path: str, revision: str | None) -> None:
    """Check the descriptions of a set on the hub before its files are resolved."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    for card in CARDS:
        try:
            file = hf_hub_download(path, card, repo_type="dataset", revision=revision)
        except EntryNotFoundError:  # it does not exist, or is not in the cache when there is no network
            continue
        check_card(card, text_of(Path(file)))


def _kept(datasets: Any, some: Any, samples: int | None) -> "Dataset":
    if isinstance(some, datasets.IterableDataset):
        some = some if some.features else some._resolve_features()  # a stream of CSV determines its types by reading
        some = _raw(datasets, some.decode(False))
        return datasets.Dataset.from_list(list(some.take(samples)), features=some.features)
    return _raw(datasets, some if samples is None else some.select(range(min(samples, len(some)))))


def _raw(datasets: Any, some: Any) -> Any:
    """The same rows with images as undecoded files, without columns that would open other files when they are read."""
    for column, feature in some.features.items():
        if isinstance(feature, datasets.Image):
            some = some.cast_column(column, datasets.Image(decode=False))
        elif _opens(feature):
            some = some.remove_columns(column)
    return some


def _opens(feature: Any) -> bool:
    """Whether reading a value of this type, or one inside it, opens files, as for audio and video."""
    if isinstance(feature, dict | list):
        return any(map(_opens, feature.values() if isinstance(feature, dict) else feature))
    return hasattr(feature, "decode_example") or _opens(getattr(feature, "feature", []))


@contextmanager
def _told(path: str, hint: str = HINT) -> Iterator[None]:
    """Turn whatever the library and its readers raise into one readable line."""
    try:
        yield
    except DataError:
        raise
    except Exception as problem:  # the errors of many readers and a network client have no common class
        causes = [problem, problem.__cause__, problem.__context__]
        why = next((str(c).strip().splitlines()[0] for c in causes if c is not None and str(c).strip()), "")
        raise DataError(
            f"data.path is {path}, which could not be loaded: {type(problem).__name__}: {why}\n{hint}"
        ) from problem
