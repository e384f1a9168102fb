"""The folders where YAML is found: the recipe's own, then the person's, then the shipped ones. Needs no Hydra."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from nncli.config.document import read
from nncli.files import refusal
from nncli.paths import own, shipped


def folders(recipe: Path | None = None) -> list[Path]:
    """In the order of search; the first that has a file wins."""
    every = [own("conf"), own("recipes"), shipped("conf"), shipped("recipes")]
    if recipe is not None:
        every.insert(0, recipe.parent)
    return [f for i, f in enumerate(every) if f.is_dir() and f not in every[:i]]


def find(name: str, among: Sequence[Path]) -> Path | None:
    """The file of a config path such as `model/mlp`. Paths that climb out of the folders are not found."""
    parts = name.removesuffix(".yaml").split("/")
    if name.startswith("/") or not all(parts) or ".." in parts or "\0" in name or len(name) > 400:
        return None
    for folder in among:
        path = folder.joinpath(*parts[:-1], parts[-1] + ".yaml")
        if not refusal(path):
            return path
    return None


def files(group: str, choice: str, among: Sequence[Path], depth: int = 0) -> Iterator[Path]:
    """The file of a choice, after those of the same group that it starts from."""
    path = find(f"{group}/{choice}", among)
    if path is None or depth > 5:
        return
    for item in read(path).data.get("defaults", []):
        if isinstance(item, str) and item != "_self_":
            yield from files(group, item, among, depth + 1)
    yield path


def options(group: str, among: Sequence[Path]) -> list[str]:
    """The choices of a group: its YAML files' names. One that begins with an underscore holds what others share."""
    if not group or group.startswith(("/", ".")) or ".." in group.split("/") or "\0" in group or len(group) > 200:
        return []
    files = (path for folder in among for path in folder.joinpath(group).glob("*.yaml") if path.is_file())
    return sorted({path.stem for path in files if not path.name.startswith("_")})


def groups(among: Sequence[Path]) -> list[str]:
    """Every group that one can choose from."""
    roots = [f for f in among if f in (own("conf"), shipped("conf"))]
    names = {p.name for root in roots for p in root.iterdir() if p.is_dir() and not p.name.startswith(("_", "."))}
    return sorted(name for name in names if options(name, among))


def recipes() -> dict[str, Path]:
    """Recipe names and files; the person's own come before shipped ones of the same name."""
    found = {}
    for folder in (shipped("recipes"), own("recipes")):
        found |= {path.stem: path for path in folder.glob("*.yaml")}
    return dict(sorted(found.items()))
