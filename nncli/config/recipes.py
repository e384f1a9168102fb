"""The recipes that a person can name, their own before the shipped ones, with what each header says."""

import shlex
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from nncli.config.document import parse
from nncli.errors import ConfigError, NnError
from nncli.paths import own, shipped, shown


@dataclass(frozen=True)
class Recipe:
    """A recipe file and what its header claims."""

    name: str
    path: Path
    title: str  # the first comment line
    claim: dict[str, Any]  # {} when it makes none
    published: str  # what others reached, with its source; "" where the header does not say
    space: list[str] = field(default_factory=list)  # the words that nn sweep searches

    @property
    def is_own(self) -> bool:
        return self.path.parent == own("recipes")

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        if text := unreadable(self.path):
            raise NnError(f"{shown(self.path)} {text}")
        return self.path.read_bytes()


def all_recipes() -> list[Recipe]:
    """Every recipe by name; one's own hides a shipped one of the same name."""
    found: dict[str, Recipe] = {}
    for folder in (shipped("recipes"), own("recipes")):
        found |= {path.stem: read(path) for path in sorted(folder.glob("*.yaml"))}
    return [found[name] for name in sorted(found)]


def read(path: Path) -> Recipe:
    """A recipe by its header; a file that cannot be read is listed with the reason as its title."""
    if text := unreadable(path):
        return Recipe(path.stem, path, text, {}, "")
    with open(path, encoding="utf-8", errors="replace") as f:
        start = f.read(10_000)  # a header is short; a file that somebody sent may not be
    header = [line[1:].strip() for line in start.splitlines() if line.startswith("#")]
    claims = [line.removeprefix("claim:") for line in header if line.startswith("claim:")]
    try:
        claim = parse(f"claim: {claims[0]}", path).data["claim"] if claims else {}
    except ConfigError:
        claim = {}
    published = next((line.removeprefix("published:").strip() for line in header if line.startswith("published:")), "")
    space = [word for line in header if line.startswith("space:") for word in shlex.split(line.removeprefix("space:"))]
    title = header[0] if header else ""
    return Recipe(path.stem, path, title, claim if isinstance(claim, dict) else {}, published, space)


def unreadable(path: Path) -> str:
    """Why a file cannot be read: it is a folder, a pipe or a link to nothing, or the system refuses it."""
    try:
        if not path.is_file():
            return "is not a file"
        with open(path, "rb"):
            return ""
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def find(name: str) -> Recipe:
    recipes = {r.name: r for r in all_recipes()}
    if name in recipes:
        return recipes[name]
    near = get_close_matches(name, recipes, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise NnError(f"no such recipe: {name}.{hint} To list all: nn recipes ls")
