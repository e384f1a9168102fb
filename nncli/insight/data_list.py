"""Every data set that can be chosen, and what it still needs. Does not import torch: classes are read as text."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nncli.config import search_path
from nncli.config.document import read
from nncli.config.origin import Layers
from nncli.errors import ConfigError
from nncli.paths import cache_dir, shipped

FETCHES, TAKES = "null downloads", "null uses"  # how a comment describes data that needs no folder of the user's own
EXTRAS = {"huggingface": "datasets"}  # extra -> the package that it installs
DEEPEST = 5  # base classes that are followed


@dataclass(frozen=True)
class Choice:
    """One `data=NAME`."""

    name: str
    title: str
    kind: str  # image, table, text or series
    state: str  # here, download, the word that names the user's own files, or the command that installs the extra
    is_own: bool


def choices() -> Iterator[Choice]:
    """All choices by name; the title of a file that cannot be read says why."""
    among = search_path.folders()
    for name in search_path.options("data", among):
        path = search_path.find(f"data/{name}", among)
        assert path is not None  # just listed
        is_own = not path.is_relative_to(shipped("conf"))
        layers = Layers()
        try:
            for file in search_path.files("data", name, among):
                layers.add(read(file))
            headline = read(path).headline
        except ConfigError as error:
            yield Choice(name, error.problems[0].text, "", "", is_own)
            continue
        yield Choice(name, headline, _kind(layers.tree), _state(name, layers), is_own)


def _state(name: str, layers: Layers) -> str:
    data = layers.tree
    for extra, package in EXTRAS.items():
        if f".{extra}." in str(data.get("_target_", "")) and find_spec(package) is None:
            return f"pip install 'nncli[{extra}]'"
    for key in ("path", "root"):
        if key not in data or data[key] is not None:
            continue
        comment = layers.origins[key].comment
        if FETCHES in comment:
            return "here" if fetched(name, str(data.get("name", name))) else "download"
        return "here" if TAKES in comment else f"data.{key}=…"
    return "here"


def fetched(*names: str) -> list[Path]:
    """What is cached under these names: whole folders, and files in the folder of their kind."""
    kept = cache_dir() / "data"
    names = tuple(name for name in names if name.replace("-", "_").isidentifier())
    folders = [kept / name for name in names if any(_whole(file) for file in kept.glob(f"{name}/*"))]
    return folders + [file for name in names for file in kept.glob(f"*/{name}.*") if _whole(file)]


def _whole(file: Path) -> bool:
    return file.suffix not in (".part", ".lock") and not file.name.startswith(".")


def _kind(data: Mapping[str, Any]) -> str:
    shape = data.get("input_shape")
    if isinstance(shape, list) and len(shape) == 3:
        return "image"
    return _kind_of(str(data.get("_target_", ""))) or "table"


def _kind_of(target: str, depth: int = 0) -> str:
    """The value of `kind` of a class or of the one it derives from."""
    module, _, name = target.rpartition(".")
    root = Path(__file__).parents[2] if module.startswith("nncli.") else Path.cwd()
    path = root.joinpath(*module.split("."))
    try:
        tree = ast.parse(path.with_name(f"{path.name}.py").read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, OSError):
        return ""
    cls = next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)
    if cls is None or depth > DEEPEST:
        return ""
    for node in cls.body:
        value: Any = getattr(node, "value", None)
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "kind" and isinstance(value, ast.Constant):
            return str(value.value)
    imports = {
        alias.name: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    bases = [ast.unparse(base) for base in cls.bases]
    return next((kind for base in bases if (kind := _kind_of(imports.get(base, f"{module}.{base}"), depth + 1))), "")
