"""`nn eval`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nncli.cli.complete import complete_runs
from nncli.cli.options import Json, Trust, TrustFile, console, refuse_given
from nncli.output import as_json, say

if TYPE_CHECKING:
    from rich.table import Table

WIDEST = 20  # classes up to which the whole confusion matrix is printed
PAIRS = 10  # that are most often confused, above that

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN|WORD]",
        help="Runs (a folder, a name or `last`, the default) or an exported file, then values such as data.root=PATH.",
        autocompletion=complete_runs,
        show_default=False,
    ),
]
Part = Annotated[Literal["train", "val", "test"], typer.Option(help="The part of the data.")]
Which = Annotated[Literal["best", "last"], typer.Option(help="The weights to evaluate.")]
Combine = Annotated[
    Literal["mean", "vote", "weights"],
    typer.Option(help="How to combine several runs: mean of the predictions, majority vote, mean of the weights."),
]


def judge(
    context: typer.Context,
    words: Words = None,
    part: Part = "test",
    which: Which = "best",
    combine: Combine = "mean",
    json: Json = False,
    trust: Trust = None,
    trust_file: TrustFile = False,
) -> None:
    """Evaluate a run on a part of its data, several runs as an ensemble, or an exported file.

    \b
    nn eval last
    nn eval last --part val
    """
    from nncli.errors import NnError
    from nncli.export.formats import suffixes
    from nncli.run import folder
    from nncli.run.eval import judged

    names = [word for word in words or () if "=" not in word] or ["last"]
    values = [word for word in words or () if "=" in word]
    file = Path(names[0])
    if file.name.endswith(suffixes()) and not folder.is_run(file):
        from nncli.export.check import judged_file

        refuse_given(context, ["which", "combine"], "has no effect on an exported file")
        if len(names) > 1:
            raise NnError(f"an exported file is evaluated alone, without runs or other files; got {names[1]}")
        found = judged_file(file, values, part=part, trusted=trust_file, trust=trust or ())
        if json:
            say(as_json({"file": str(file), "part": part, **found}))
        else:
            _show(f"{file} · {part} part", found)
        return
    refuse_given(context, ["trust_file"], "is for exported files, and this is a run")
    if len(names) == 1:
        refuse_given(context, ["combine"], "has no effect on one run; name several")
    runs = [folder.find(name) for name in names]
    found = judged(runs, values, part=part, which=which, combine=combine, trust=trust or ())
    if json:
        paths: dict[str, Any] = {"run": str(runs[0].path)}
        if len(runs) > 1:
            paths |= {"runs": [str(run.path) for run in runs], "combine": combine}
        say(as_json({**paths, "part": part, "weights": which, **found}))
        return
    how = {"mean": "mean predictions", "vote": "majority vote", "weights": "mean weights"}[combine]
    title = runs[0].name if len(runs) == 1 else f"{how} of {', '.join(run.name for run in runs)}"
    _show(f"{title} · {which} weights · {part} part", found)


def _show(title: str, found: dict[str, Any]) -> None:
    """The metrics, beside those of simple opponents, and the details of classes or of columns."""
    from nncli.run.summary import beside, decimals

    say(title)
    sides = beside(found["metrics"])
    if len(sides) > 1:
        say(" " * 26 + "".join(f" {who:>10}" for who in sides))
    for name in sides["model"]:
        values = [decimals(side[name]) if name in side else "" for side in sides.values()]
        say(f"  {name:24} " + (values[0] if len(sides) == 1 else " ".join(f"{value:>10}" for value in values).rstrip()))
    if "columns" in found:
        say("\nin the units of each column")
        console().print(_rows(found["columns"]))
    if "classes" in found:
        show = console()
        labels, few = [row["class"] for row in found["classes"]], len(found["classes"]) <= WIDEST
        say()
        show.print(_rows(found["classes"]))
        say("\nconfusion matrix: true classes (rows), predicted classes (columns)" if few else "\nmost often confused")
        show.print((_matrix if few else _pairs)(labels, found["confusion"]))


def _rows(rows: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for name in rows[0]:
        table.add_column(name, justify="left" if name in ("class", "column") else "right")
    for row in rows:
        table.add_row(*(f"{value:.4f}" if isinstance(value, float) else str(value) for value in row.values()))
    return table


def _matrix(labels: list[str], confusion: list[list[int]]) -> "Table":
    """A row per class, a column per prediction; correct ones are highlighted, zeros are dots."""
    from rich.table import Table
    from rich.text import Text

    short = [label if len(label) <= 8 else f"{label[:7]}…" for label in labels]
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("")
    for label in short:
        table.add_column(label, justify="right", no_wrap=True)
    for i, (label, row) in enumerate(zip(labels, confusion, strict=True)):
        cells = [
            Text(str(n) if n else "·", "bold green" if i == j else "red" if n else "dim") for j, n in enumerate(row)
        ]
        table.add_row(label, *cells)
    return table


def _pairs(labels: list[str], confusion: list[list[int]]) -> "Table":
    """The most frequent mistakes."""
    from rich.table import Table

    wrong = [(n, i, j) for i, row in enumerate(confusion) for j, n in enumerate(row) if n and i != j]
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("class")
    table.add_column("predicted as")
    table.add_column("times", justify="right")
    for n, i, j in sorted(wrong, key=lambda pair: -pair[0])[:PAIRS]:
        table.add_row(labels[i], labels[j], str(n))
    return table
