"""Check that a data set's own files refer only to files beside them, before any library follows the references."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import yaml

from nncli.data.files.archive import zip_members
from nncli.errors import DataError
from nncli.files import ABSENT, lies_in, named, refusal, rooms, straying_link

CARDS = ("README.md", ".huggingface.yaml")
SPLITS, STATE = "dataset_dict.json", "state.json"  # of a folder that save_to_disk wrote
LARGEST = 10_000_000  # bytes of a file that describes a set
MOST = 200_000  # parser events, about two for each key
DEEPEST = 40  # levels of nested mappings and lists
BLOCK = re.compile(
    r"^\s*---(?:\r\n|\r|\n)([\S\s]*?)(?:\r\n|\r|\n)---[ \t]*(?:\r\n|\n|$)"
)  # as huggingface_hub finds it
READ = {"arrow", "csv", "imagefolder", "json", "parquet", "text"}  # types of files that are read
OF_HUB = READ | {"webdataset", "cache"}  # tar files, and cached data without a network


def check_folder(folder: Path) -> None:
    """Raise DataError if a link or a description in a folder leads out of it."""
    try:
        if link := straying_link(folder):
            raise DataError(
                f"data.path: {named(folder)} has a link that leads out of it, {named(link.relative_to(folder))}; "
                "put the file itself in its place"
            )
    except OSError as problem:
        raise DataError(
            f"data.path: {named(problem.filename or folder)} cannot be read: {problem.strerror}"
        ) from problem
    for name in CARDS:
        if (why := refusal(folder / name)) not in ("", ABSENT):
            raise DataError(f"data.path: {named(folder / name)} {why}")
        if not why:
            check_card(name, text_of(folder / name))
    if not refusal(folder / SPLITS):
        _check_names(folder / SPLITS, _json(folder / SPLITS).get("splits"))
    for state in (folder / STATE, *folder.glob(f"*/{STATE}")):
        if not refusal(state):
            files: Any = _json(state).get("_data_files")
            plain = isinstance(files, list) and all(isinstance(file, dict) for file in files)
            _check_names(state, [file.get("filename") for file in files] if plain else None)


def check_card(name: str, text: str) -> None:
    """Raise DataError if the configs of a description take data from outside its folder."""
    block = BLOCK.search(text) if name.endswith(".md") else None
    if name.endswith(".md") and block is None:
        return
    said = _parsed(name, block[1] if block else text)
    configs = said.get("configs") if isinstance(said, dict) else None
    for config in configs if isinstance(configs, list) else [configs]:
        for key in ("data_files", "data_dir"):
            for pattern in _texts(config.get(key)) if isinstance(config, dict) else ():
                if not _beside(pattern):
                    raise DataError(
                        f"data.path: {name} takes its {key} from {named(pattern)}, which is not in the set's folder; "
                        "only files in it are read: write a path that begins there"
                    )


def check_files(builder: Any, path: str, folder: Path | None) -> None:
    """Raise DataError if files that the library would read are not in the set, or of an unknown type."""
    modules = [cls.__module__.split(".") for cls in type(builder).__mro__]
    kinds = {parts[2] for parts in modules if parts[:2] == ["datasets", "packaged_modules"] and len(parts) > 2}
    if not kinds & (READ if folder else OF_HUB):
        raise DataError(
            f"data.path is {named(path)}, whose files are of a kind that is not read: {', '.join(sorted(kinds))}; "
            "take CSV, JSON, Parquet, Arrow, text or image files"
        )
    within = rooms(folder) if folder else []
    for files in (builder.config.data_files or {}).values():
        for file in map(str, files):
            of_set = (
                lies_in(file, *within) and not refusal(file) if folder else file.startswith(f"hf://datasets/{path}@")
            )
            if not of_set:
                raise DataError(f"data.path is {named(path)}, which names {named(file)}: that is not in it")
            if folder and file.endswith(".zip"):
                _check_zip(Path(file))


def _check_zip(file: Path) -> None:
    try:
        with zipfile.ZipFile(file) as opened:
            zip_members(file, opened)
    except (zipfile.BadZipFile, OSError) as problem:
        raise DataError(f"data.path: {named(file)} cannot be opened as a zip: {problem}") from problem


def _beside(pattern: str) -> bool:
    """Whether a pattern stays inside its folder and is not an address."""
    parts = re.split(r"[/\\]", pattern)
    return ":" not in pattern and "\0" not in pattern and ".." not in parts and parts[0] != "" and parts[0][0] != "~"


def _check_names(file: Path, names: Any) -> None:
    """Raise DataError unless each is the plain name of something beside the file."""
    if not isinstance(names, list):
        raise DataError(f"data.path: {named(file)} is not what save_to_disk writes")
    for name in names:
        if not isinstance(name, str) or name in ("", ".", "..") or PurePath(name).name != name or not _beside(name):
            raise DataError(f"data.path: {named(file)} names {named(str(name))}; only files beside it are read")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = [inner for key, inner in value.items() if key != "split"]
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)


def text_of(file: Path) -> str:
    """The text of a file, decoded like by the library, without a byte order mark."""
    with file.open("rb") as opened:
        raw = opened.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise DataError(f"data.path: {named(file)} is larger than {LARGEST:,} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise DataError(f"data.path: {named(file)} is not UTF-8 text") from problem


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(text_of(file))
    except (ValueError, RecursionError) as problem:
        raise DataError(f"data.path: {named(file)} is not valid JSON") from problem
    return found if isinstance(found, dict) else {}


def _parsed(name: str, text: str) -> Any:
    """Plain values of YAML. The parser's events are checked first: aliases can expand endlessly, tags name objects."""
    depth = 0
    try:
        for count, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            odd = isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) not in (None, "!")
            if odd or depth > DEEPEST or count > MOST:
                raise DataError(f"data.path: {name} holds more than plain YAML: tags, aliases, or too much of it")
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError) as problem:
        raise DataError(f"data.path: {name} is not valid YAML: {str(problem).splitlines()[0]}") from problem
