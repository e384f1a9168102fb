"""What the shell offers when Tab is pressed. Needs neither torch nor Hydra: defaults lists are read directly."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import typer

from nncli.errors import printable

P = ParamSpec("P")
Offers = list[tuple[str, str]]  # what would stand there, and what it is


def offering(offers: Callable[P, Offers]) -> Callable[P, Offers]:
    """What Tab offers, whatever lies in the folders: a broken file is reported by the verb, not while typing."""

    @wraps(offers)
    def offered(*args: P.args, **kwargs: P.kwargs) -> Offers:
        try:
            found = offers(*args, **kwargs)
        except Exception:
            return []
        # a name that cannot be typed is of no use
        return [(text, printable(about, lines=False)) for text, about in found if text.isprintable()]

    return offered


@offering
def complete_words(incomplete: str, ctx: typer.Context | None = None) -> Offers:
    """Recipes after `recipe=`, choices after `group=`, else recipes' word, groups and keys with their value."""
    before, incomplete = _joined(incomplete)
    name, is_given, _ = incomplete.partition("=")
    typed: Sequence[str] = (ctx.params.get("words") if ctx else None) or []
    offers = list(_choices(name) if is_given else _names(typed))
    return [(text.removeprefix(before), about) for text, about in offers if text.startswith(incomplete)]


@offering
def complete_keys(incomplete: str, ctx: typer.Context | None = None) -> Offers:
    """Keys, sections and groups."""
    names = [*((g, "a group") for g in _groups()), *_keys((ctx.params.get("words") if ctx else None) or [])]
    return [offer for offer in names if offer[0].startswith(incomplete)]


@offering
def complete_recipes(incomplete: str) -> Offers:
    """Names of recipes, with what they train."""
    from nncli.config import search_path

    return [(name, _headline(path)) for name, path in search_path.recipes().items() if name.startswith(incomplete)]


@offering
def complete_data(incomplete: str, ctx: typer.Context | None = None) -> Offers:
    """Names of data sets for the first word; any words after it."""
    words = complete_words(incomplete, ctx)
    if (ctx and ctx.params.get("words")) or "=" in incomplete:
        return words
    sets = [(text.removeprefix("data="), about) for text, about in _choices("data")]
    return [*((name, about) for name, about in sets if name.startswith(incomplete)), *words]


@offering
def complete_runs(incomplete: str) -> Offers:
    """`last`, and all runs, newest first."""
    from nncli.run.folder import all_runs

    names = ["last", *(run.name for run in all_runs())]
    return [(name, "") for name in names if name.startswith(incomplete)]


def _joined(incomplete: str) -> tuple[str, str]:
    """(what bash has typed already, the whole word): bash takes `=` for the end of a word."""
    words = os.environ.get("COMP_WORDS", "").split("\n")
    if len(words) >= 3 and words[-1] == incomplete and words[-2] == "=":
        return f"{words[-3]}=", f"{words[-3]}={incomplete}"
    if len(words) >= 2 and words[-1] == "=" == incomplete:
        return f"{words[-2]}=", f"{words[-2]}="
    return "", incomplete


def _choices(group: str) -> Iterator[tuple[str, str]]:
    from nncli.config import search_path

    if group == "recipe":
        yield from ((f"recipe={name}", _headline(path)) for name, path in search_path.recipes().items())
        return
    among = search_path.folders()
    for name in search_path.options(group, among):
        path = search_path.find(f"{group}/{name}", among)
        yield f"{group}={name}", _headline(path) if path else ""


def _names(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield "recipe=", "a ready recipe"
    yield from ((f"{group}=", "a choice") for group in _groups())
    yield from ((f"{key}=", about) for key, about in _keys(words) if "_target_" not in key and "_partial_" not in key)


def _groups() -> list[str]:
    from nncli.config import search_path

    return search_path.groups(search_path.folders())


def _headline(path: Path) -> str:
    """The first comment line, without reading the rest."""
    if not path.is_file():  # a pipe would never end
        return ""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline(200).lstrip("# ").rstrip()


def _keys(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Dotted keys with their value, for the recipe and the choices typed so far."""
    from nncli.config import search_path
    from nncli.config.document import read
    from nncli.config.origin import Layers, spelled
    from nncli.config.reference import leaves

    given = dict(word.split("=", 1) for word in words if "=" in word)
    recipe = search_path.recipes().get(given.get("recipe", "")) or Path(given.get("recipe", ""))
    among, layers = search_path.folders(recipe if recipe.is_file() else None), Layers()
    root = search_path.find("train", among)
    starts = [path for path in (root, recipe) if path and path.is_file()]
    chosen: dict[str, str] = {}
    for path in starts:
        chosen |= _defaults(read(path).data)
    chosen |= {group: given[group] for group in chosen if group in given}
    for group, choice in chosen.items():
        for path in search_path.files(group, choice, among):
            layers.add(read(path), group)
    for path in starts:
        layers.add(read(path))
    for key, value in leaves(layers.tree):
        yield key, f"{spelled(value)}  {layers.origins[key].comment}".strip()


def _defaults(data: Mapping[str, Any]) -> dict[str, str]:
    """Group and choice of each entry; those from files of other groups are left to Hydra."""
    entries = [item for item in data.get("defaults", []) if isinstance(item, dict)]
    return {key.split(" ")[-1].lstrip("/"): str(value) for item in entries for key, value in item.items()}
