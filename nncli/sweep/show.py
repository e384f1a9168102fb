"""A sweep as facts for a program, and as tables for a terminal."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nncli.errors import printable
from nncli.insight.drawing import label
from nncli.run.summary import decimals
from nncli.sweep.best import line
from nncli.sweep.record import Record, open_sweep
from nncli.sweep.trial import Trial

ROWS = 20  # trials in the table of a terminal
COLOURS = {"best": "bold green", "pruned": "dim", "failed": "red", "running": "cyan"}


def show(folder: Path, url: str | None = None) -> dict[str, Any]:
    """What a sweep has found so far; `url` is the database of its trials, if its words do not name it."""
    record = open_sweep(folder, url)
    return {
        "sweep": str(folder),
        "metrics": dict(zip(record.metrics, record.directions, strict=True)),
        "counts": record.counts(),
        "best": [_facts(record, one) | {"type": line(record, one)} for one in record.winners],
        "importance": dict(zip(record.metrics, record.importance, strict=True)),
        "trials": [_facts(record, one) for one in record.ranked()],
    }


def _facts(record: Record, one: Trial) -> dict[str, Any]:
    why = {"why": one.why} if one.why else {}
    return {"trial": one.slot, "state": one.state, "metrics": record.results(one), "values": one.picked, **why}


def tables(facts: Mapping[str, Any], rows: int = ROWS) -> Iterator[Any]:
    """What rich prints of these facts: counts, the trials, the importance of the keys, errors, the line of the best."""
    from rich.table import Table
    from rich.text import Text

    def cells(*texts: Any) -> list[Text]:
        return [Text(printable(label(text), lines=False)) for text in texts]

    metrics, trials = list(facts["metrics"]), facts["trials"]
    yield Text(", ".join(f"{count} {state}" for state, count in facts["counts"].items() if count) or "no trials yet")
    best = {one["trial"] for one in facts["best"]}
    keys = list(dict.fromkeys(key for one in trials for key in one["values"]))
    table = Table("trial", "state", *metrics, box=None, header_style="dim", pad_edge=False)
    for key in keys:
        table.add_column(*cells(key))
    for one in trials[:rows]:
        state = "best" if one["trial"] in best else one["state"]
        values = [one["metrics"].get(name, "") for name in metrics] + [one["values"].get(key, "") for key in keys]
        table.add_row(*cells(one["trial"], state, *values), style=COLOURS.get(state))
    yield table
    if len(trials) > rows:
        yield Text(f"… and {len(trials) - rows} more", style="dim")
    for metric, shares in facts["importance"].items():
        if shares:
            table = Table(f"importance for {metric}", "", "", box=None, header_style="dim", pad_edge=False)
            for key, share in shares.items():
                table.add_row(*cells(key, f"{share:.1%}", "━" * round(20 * share)))
            yield table
    for one in trials:
        if "why" in one:
            yield Text(printable(f"trial {one['trial']} failed: {one['why']}"), style="red")
    for one in facts["best"][:1]:
        yield Text(f"type: {one['type']}", overflow="fold")


def refit_table(facts: Mapping[str, Any]) -> Any:
    """What rich prints of the facts of a refit: each metric's mean and the interval of the mean."""
    from rich.table import Table

    refits = facts["refits"]
    table = Table(f"{facts['seeds']} seeds", *refits, box=None, header_style="dim", pad_edge=False)
    for metric in next(iter(refits.values()))["metrics"]:
        found = [refit["metrics"][metric] for refit in refits.values()]
        ends = [f" ({one['low']:.4f} to {one['high']:.4f})" if "low" in one else "" for one in found]
        table.add_row(metric, *(decimals(one["mean"]) + end for one, end in zip(found, ends, strict=True)))
    return table
