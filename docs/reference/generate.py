"""Writes the pages beside it from the YAML files, the signatures and the verbs: python docs/reference/generate.py"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from typer.models import ArgumentInfo, OptionInfo

from nncli.cli.main import app
from nncli.config.annotations import phrase
from nncli.config.document import Document, read
from nncli.config.origin import Layers, spelled
from nncli.config.recipes import read as read_recipe
from nncli.config.reference import at, children
from nncli.config.slots import parameters, target_class
from nncli.run.assemble import SECTIONS

ROOT = Path(__file__).resolve().parents[2]
LINKS = """These pages are generated from the YAML files, the signatures and the commands, so they match the code.

- [Recipes](recipes.md): every recipe, and the result it claims
- [Config](config.md): every config group, its choices, and the meaning and values of their keys
- [Commands](verbs.md): every command with its options and examples

These pages are written by hand, and tests check them against the code:

- [Faults](faults.md): what can go wrong, and what `nn` guarantees in each case
- [Recipes and formats](exports.md): which recipe can be exported to which format
- [Problems](problems.md): the code of every problem of a config: what it means and what to do"""
RECIPES = """Train a recipe with `nn train recipe=NAME`, or copy it with `nn recipes cp NAME MINE`. A claim was measured
with the command, the seed and the `trainer.precision` in its row; the bound leaves room for other seeds.
`nn verify recipe=NAME` checks whether a recipe reaches its claim, `nn verify --fast` checks all those marked fast."""
CONFIGS = """Every key of every choice. Select a choice of a group with, for example, `model=resnet`, and set a value
with `model.depth=34`. A value `${a.b}` is the value of the key `a.b`. `nn config explain KEY` prints the same."""
FACTS = ("measured", "device", "precision", "seed", "minutes", "fast")
VERBS = "`nn COMMAND --help` prints the same information. For the exit codes, see [Runs](../guide/runs.md)."


def page(title: str, what: str, parts: Iterable[str]) -> str:
    return "\n\n".join([f"# {title}", "<!-- made by: python docs/reference/generate.py -->", what, *parts]) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a column in which nothing stands is left out."""
    columns = [column for column in zip(head, *rows, strict=True) if any(column[1:])]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in zip(*columns, strict=True)]
    return "\n".join([lines[0], "|" + "---|" * len(columns), *lines[1:]]) if lines else "Nothing to set."


def recipes() -> str:
    rows = []
    for recipe in map(read_recipe, sorted((ROOT / "recipes").glob("*.yaml"))):
        claim = {key: str(value) for key, value in recipe.claim.items()}
        claim["fast"] = "yes" if recipe.claim.get("fast") else ""
        limits = [f"{sign} {claim[key]}" for key, sign in (("at_least", "≥"), ("at_most", "≤")) if key in claim]
        facts = [claim.get("metric", ""), " ".join(limits), *(claim.get(key, "") for key in FACTS), recipe.published]
        link = f"[{recipe.name}](../../recipes/{recipe.path.name})"
        rows.append([link, recipe.title, f"`nn train recipe={recipe.name}`", *facts])
    return page(
        "Recipes", RECIPES, [table(["recipe", "description", "command", "metric", "bound", *FACTS, "published"], rows)]
    )


def config() -> str:
    root = read(ROOT / "conf" / "train.yaml")
    plain = {key: value for key, value in root.data.items() if not isinstance(value, dict | list)}
    parts = ["## At the root", keys("", plain, [root], SECTIONS[""])]
    for key, values in root.data.items():
        if key in SECTIONS or (isinstance(values, dict) and "_target_" in values):
            parts += [f"## {key}", keys(key, values, [root], SECTIONS.get(key))]
    for entry in root.data["defaults"]:
        for group, default in entry.items() if isinstance(entry, dict) else ():
            parts += choices(group, default)
    return page("Config", CONFIGS, parts)


def choices(group: str, default: str) -> Iterator[str]:
    found = {path.stem: read(path) for path in sorted((ROOT / "conf" / group).glob("*.yaml"))}
    shared = {name: found.pop(name) for name in list(found) if name.startswith("_")}
    rows = ([f"`{group}={n}`" + " (default)" * (n == default), d.headline] for n, d in found.items())
    yield f"## {group}\n\n" + table(["choice", "description"], rows)
    for name, document in found.items():
        whole, own, files = Layers(), Layers(), list(parts(document, {**found, **shared}))
        for file in files:
            whole.add(file)
        for file in parts(document, shared):
            own.add(file)
        starts = [item for file in parts(document, shared) for item in named(file) if item in found]
        target = whole.tree.get("_target_")
        yield f"### {group}={name}"
        if starts:
            yield f"As `{group}={starts[0]}`" + (", with these values instead:" if own.tree else ".")
        elif target:
            yield f"Builds `{target}`."
        alike = [other for other in found.values() if other.data.get("_target_") == target]
        if own.tree or not starts:
            yield keys(group, own.tree, [*reversed(files), *alike], SECTIONS.get(group), whole.tree)


def named(document: Document) -> list[str]:
    """The files of its own group that a file starts from."""
    return [item for item in document.data.get("defaults", []) if isinstance(item, str) and item != "_self_"]


def parts(document: Document, others: Mapping[str, Document]) -> Iterator[Document]:
    """A file, after those of the others that it starts from."""
    for name in named(document):
        if name in others:
            yield from parts(others[name], others)
    yield document


def keys(
    prefix: str, values: Mapping[str, Any], files: list[Document], owner: Any, whole: Mapping[str, Any] | None = None
) -> str:
    """A row for each key; a comment that the first file leaves out is taken from the next one that has it."""
    rows = []
    for inner, value in entries(values):
        key = f"{prefix}.{inner}" if prefix else inner
        marks = [file.marks[name] for file in files for name in (key, inner) if name in file.marks]
        meaning = next((mark.comment for mark in marks if mark.comment), "")
        rows.append([f"`{key}`", f"`{spelled(value) or repr(value)}`", takes(whole or values, inner, owner), meaning])
    return table(["key", "default", "values", "meaning"], rows)


def entries(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves, a list of plain values being one of them."""
    for name, value in children(values):
        if isinstance(value, dict) or any(isinstance(item, dict) for _, item in children(value)):
            yield from entries(value, f"{prefix}{name}.")
        elif name not in ("_target_", "_partial_"):
            yield prefix + name, value


def takes(values: Mapping[str, Any], key: str, owner: Any) -> str:
    """What the signature allows. Only our own are asked: those of torch differ from version to version."""
    section, _, name = key.rpartition(".")
    target = (at(values, section) if section else values).get("_target_", "")
    found = target_class(target, ()) if target.startswith("nncli.") else owner
    parameter = parameters(found).get(name) if callable(found) else None
    hint = parameter.annotation if parameter else inspect.Parameter.empty
    return "" if hint is inspect.Parameter.empty else phrase(hint).replace("_partial_: true", "`_partial_: true`")


def verbs() -> str:
    return page("Commands", VERBS, [part for name, call in commands(app, "nn") for part in verb(name, call)])


def commands(group: Any, prefix: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for one in group.registered_commands:
        yield f"{prefix} {one.name or one.callback.__name__}", one.callback
    for inner in group.registered_groups:
        yield from commands(inner.typer_instance, f"{prefix} {inner.name}")


def verb(name: str, call: Callable[..., Any]) -> Iterator[str]:
    text, _, examples = (inspect.getdoc(call) or "").partition("\b")
    rows, line = [], name
    for parameter, hint in get_type_hints(call, include_extras=True).items():
        kind, info = get_args(hint) or (None, None)
        word = shown = getattr(info, "metavar", None) or ("" if kind is bool else parameter.upper())
        if isinstance(info, ArgumentInfo):
            needed = inspect.signature(call).parameters[parameter].default is inspect.Parameter.empty
            shown = (word if needed else f"[{word.strip('[].')}]") + "..." * ("list[" in str(kind))
            line += f" {shown}"
        elif isinstance(info, OptionInfo):  # in an Annotated, typer keeps the first name of an option as its default
            names = ", ".join(n for n in (info.default, *(info.param_decls or ())) if isinstance(n, str))
            shown = f"{names or f'--{parameter}'} {word}".strip()
        if info:
            allowed = f" {phrase(kind).capitalize()}." if get_origin(kind) is Literal else ""
            rows.append([f"`{shown}`", f"{info.help}{allowed}"])
    yield f"## {name}\n\n{text.strip()}\n\n`{line}`\n\n```sh\n{examples.strip()}\n```"
    yield table(["argument", "what it does"], rows)


def main(folder: Path = Path(__file__).parent) -> None:
    made = {"index": page("Reference", LINKS, []), "recipes": recipes(), "config": config(), "verbs": verbs()}
    for name, text in made.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
