"""`nn data`: ls, get, show, check."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nncli.cli.complete import complete_data
from nncli.cli.options import Json, Trust, console
from nncli.output import as_json, say

if TYPE_CHECKING:
    from nncli.config.compose import Config
    from nncli.insight.findings import Finding
    from nncli.insight.source import Data

app = typer.Typer(help="List, download, show and check data sets.", no_args_is_help=True)
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WORD",
        help="The name of a data set, or words as for nn train: data=csv data.path=x.csv data.target=y.",
        autocompletion=complete_data,
        show_default=False,
    ),
]
Part = Annotated[Literal["train", "val", "test"], typer.Option(help="The part to show.")]
Augmented = Annotated[bool, typer.Option("--augmented", help="Draw the samples as the transform augments them.")]
Out = Annotated[str, typer.Option(metavar="FILE", help="The file that the picture is saved as.", show_default=False)]
Decode = Annotated[bool, typer.Option("--all", help="Also compare samples that must first be decoded from files.")]


@app.command()
def ls(json: Json = False) -> None:
    """List the data sets, their kind, and whether they are on this machine.

    \b
    nn data ls
    """
    from dataclasses import asdict

    from nncli.insight.data_list import choices

    found = list(choices())
    if json:
        say(as_json([asdict(choice) for choice in found]))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for choice in found:
        name = Text(choice.name, style="bold").append(" (yours)" if choice.is_own else "", style="")
        table.add_row(name, Text(choice.kind), Text(choice.state), Text(choice.title))
    console().print(table)


@app.command()
def get(words: Words = None, trust: Trust = None) -> None:
    """Download a data set, and print where it is stored.

    \b
    nn data get digits
    """
    from nncli.cli.show_data import in_bytes
    from nncli.errors import NnError
    from nncli.insight.source import composed, lies, source
    from nncli.paths import shown

    data = source(composed(words or [], trust or ()))
    before = lies(data)
    data.prepare_data()
    place = lies(data)
    if place is None:
        for key in ("root", "path"):
            if given := getattr(data, key, None):
                raise NnError(f"data.{key} is {given}, which does not exist")
        say("nothing to download")
        return
    size = sum(file.stat().st_size for file in [place, *place.rglob("*")] if file.is_file())
    say(f"{'already here' if before else 'downloaded'}: {shown(place)} ({in_bytes(size)})")


@app.command()
def show(
    words: Words = None,
    part: Part = "train",
    augmented: Augmented = False,
    out: Out = "",
    json: Json = False,
    trust: Trust = None,
) -> None:
    """Show what a data set contains: counts, shapes, classes, and its images, columns or texts.

    \b
    nn data show digits
    nn data show digits transform=crop_flip --augmented
    """
    from nncli.cli.show_data import draw, tell
    from nncli.errors import NnError
    from nncli.insight.data_summary import described
    from nncli.insight.source import title

    config, data = _loaded(words or [], trust or (), augmented)
    if part not in data.parts:
        raise NnError(f"this data has no {part} part; its parts are: {', '.join(data.parts)}")
    told = {"name": title(words or [], config), **described(data, part)}
    screen = console()
    picture, strip = draw(config, data, told, out, augmented, screen)
    if picture is not None:
        told["picture"] = str(picture)
    if json:
        say(as_json(told))
    else:
        tell(told, screen, data, strip)


@app.command()
def check(words: Words = None, decode: Decode = False, json: Json = False, trust: Trust = None) -> None:
    """Search a data set for leaks, duplicates, odd labels and columns. The exit code is 1 if something is wrong.

    \b
    nn data check wine
    """
    from dataclasses import asdict

    from nncli.insight.findings import findings
    from nncli.insight.source import composed, source
    from nncli.run.quiet import quiet_libraries

    data = source(composed(words or [], trust or ()))
    with quiet_libraries():
        data.prepare_data()
        found, parts = findings(data, decode)
    wrong = any(finding.severity == "wrong" for finding in found)
    skipped = [name for name, rows in parts.items() if rows.decodes and not decode]
    if json:
        counts = {name: len(rows) for name, rows in parts.items()}
        facts = {"wrong": wrong, "parts": counts, "skipped": skipped}
        say(as_json({**facts, "findings": [asdict(finding) for finding in found]}))
    else:
        _print_findings(found, {name: len(rows) for name, rows in parts.items()}, skipped)
    raise typer.Exit(1 if wrong else 0)


def _loaded(words: list[str], trust: list[str] | tuple[()], augmented: bool) -> "tuple[Config, Data]":
    """The config and its data, set up. Drawing what the transform does needs a config with every value known."""
    from nncli.insight.source import composed, source
    from nncli.run.quiet import quiet_libraries

    sections = ("data", "transform") if augmented else ("data",)
    config = composed(words, trust, sections)
    if "batch_size" in config.tree.data:  # nothing is batched here, so that few samples are enough
        config = composed([*words, "data.batch_size=1"], trust, sections)
    source(config)
    with quiet_libraries():
        if augmented:
            from nncli.run.resolve import infer
            from nncli.run.screen import Screen

            return infer(config, Screen("quiet"))
        from nncli.run.assemble import load_data

        return config, load_data(config)


def _print_findings(found: "list[Finding]", counts: dict[str, int], skipped: list[str]) -> None:
    from rich.text import Text

    screen = console()
    for finding in found:
        style = "bold red" if finding.severity == "wrong" else "bold"
        head = Text("wrong    " if finding.severity == "wrong" else "look at  ", style=style).append(finding.what)
        screen.print(head.append(f"  {finding.count:,}", style="" if finding.count > 1 else "dim"))
        about = [finding.text, *([f"expected: {finding.bound}"] if finding.bound else [])]
        for line in (*about, *finding.where):
            screen.print(Text(f"         {line}"), soft_wrap=True)
    for name in skipped:
        screen.print(f"the {name} part is decoded from files; nn data check --all compares its samples too")
    sizes = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    wrong = sum(finding.severity == "wrong" for finding in found)
    if sizes:
        screen.print(f"checked {sizes}: {wrong} wrong, {len(found) - wrong} to look at")
