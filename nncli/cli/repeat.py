"""`nn cv`, and `nn train … seeds=N`: one config trained several times, and how much its metrics vary."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nncli.cli.options import Json, Quiet, Trust, Words, console
from nncli.output import as_json, say

if TYPE_CHECKING:
    from nncli.run.repeats import Kind, Repeats


def cv(words: Words = None, json: Json = False, quiet: Quiet = False, trust: Trust = None) -> None:
    """Cross-validate: train a net on all folds but one, evaluate it on that one, and so on for each of them.

    The predictions for all folds are kept in one file. The same line again continues what was interrupted.

    \b
    nn cv recipe=wine_mlp folds=5
    """
    repeat("folds", words or [], json, quiet, trust or ())


def repeat(kind: "Kind", words: Sequence[str], json: bool, quiet: bool, trust: Sequence[str]) -> None:
    """Train the runs that folds=… or seeds=… asks for, and show what they reach."""
    from nncli.config.hosting import hosts
    from nncli.errors import Stopped
    from nncli.paths import shown
    from nncli.run.processes.pool import nursery

    try:
        with nursery():
            from nncli.run.repeats import repeats

            found = repeats(kind, words, trust)
            trained = found.train((lambda text: None) if json or quiet else say)
    except Stopped:
        say("\nto continue, type the same line again", err=True)
        raise
    file = found.folder / "predictions.csv"
    if kind == "folds" and not hosts(found.config) and (trained or not file.is_file()):
        from nncli.predict.out_of_fold import write

        write(found.runs, file, trust)
    if json:
        say(as_json(_facts(found) | ({"predictions": str(file)} if file.is_file() else {})))
    elif not quiet:
        _show(found)
        say(f"predictions: {shown(file)}" if file.is_file() else f"runs: {shown(found.folder)}")


def _facts(found: "Repeats") -> dict[str, Any]:
    each = zip(found.places, found.runs, found.metrics, strict=True)
    spreads = {name: spread._asdict() for name, spread in found.spreads.items()}
    runs = [{found.kind[:-1]: place, "run": str(run.path), "metrics": metrics} for place, run, metrics in each]
    return {"folder": str(found.folder), "runs": runs, "spread": spreads}


def _show(found: "Repeats") -> None:
    """A row for each run, and what they have in common."""
    from rich.table import Table

    from nncli.cli.runs import is_judgement
    from nncli.run.summary import decimals

    spreads, metrics = found.spreads, found.metrics
    names = [name for name in metrics[0] if is_judgement(name, metrics[0])] or list(metrics[0])
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for name in (found.kind[:-1], *names):
        table.add_column(name, justify="right" if name in names else "left", no_wrap=True)
    for place, one in zip(found.places, metrics, strict=True):
        table.add_row(str(place), *(decimals(one.get(name)) for name in names))
    rows = {
        "mean": lambda one: decimals(one.mean),
        "deviation": lambda one: decimals(one.deviation),
        "95% interval": lambda one: f"{one.low:.4f} to {one.high:.4f}",
    }
    for label, cell in rows.items():
        table.add_row(label, *(cell(spreads[name]) if name in spreads else "-" for name in names))
    console().print(table)
