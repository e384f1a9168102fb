"""`nn runs`: ls, show, diff, rm."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from nncli.cli.complete import complete_runs
from nncli.cli.options import Json, Run, confirmed, console
from nncli.errors import printable
from nncli.output import as_json, say

app = typer.Typer(help="List, show, compare and delete the runs in ./runs (or $NN_RUNS).", no_args_is_help=True)


@app.command()
def ls(json: Json = False) -> None:
    """List the runs, newest first.

    \b
    nn runs ls
    """
    from nncli.paths import runs_dir, shown
    from nncli.run.folder import all_runs
    from nncli.run.summary import decimals

    runs = [(run, run.status(), run.read(run.summary)) for run in all_runs()]
    if json:
        say(as_json([{**facts, "run": str(r.path), "name": r.name, "status": s} for r, s, facts in runs]))
        return
    from rich.table import Table

    table = Table.grid(padding=(0, 3))
    table.add_column(no_wrap=True, overflow="fold")  # a name must be whole, to be typed
    for run, status, facts in runs:
        metrics = facts.get("metrics", {})
        judged = [f"{k} {decimals(v)}" for k, v in metrics.items() if is_judgement(k, metrics)]
        wall = decimals(facts.get("wall_s"), 0)
        table.add_row(run.name, status.split(":")[0], f"{facts.get('steps') or 0} steps", f"{wall} s", *judged)
    console().print(table if runs else f"no runs under {shown(runs_dir())} yet; start one with nn train")


def is_judgement(key: str, metrics: Mapping[str, Any]) -> bool:
    """Whether a metric is of the part evaluated last; those that only the test part has are left to nn runs show."""
    part = "test" if any(k.startswith("test/") for k in metrics) else "val"
    both = {k.partition("/")[2] for k in metrics if k.startswith("val/")}
    return key.startswith(f"{part}/") and (not both or key.partition("/")[2] in both)


@app.command()
def show(run: Run, json: Json = False) -> None:
    """Print the facts and the results of a run.

    \b
    nn runs show last
    """
    from nncli.run.folder import find
    from nncli.run.summary import decimals

    found = find(run)
    facts: dict[str, Any] = {"run": ""} | found.read(found.summary)
    facts |= {"run": str(found.path), "status": found.status()} | found.faults()
    facts["words"], facts["environment"] = found.typed(), found.read(found.environment)
    facts["checkpoints"] = sorted(p.name for p in found.checkpoints.glob("*.ckpt"))
    if json:
        say(as_json(facts))
        return
    for name, value in facts.items():
        if name == "environment":
            continue
        if name == "metrics":
            for metric, number in value.items():
                say(f"  {metric:16} {decimals(number)}")
            continue
        say(f"{name:16} {' '.join(map(str, value)) if isinstance(value, list) else value}")


@app.command()
def diff(one: Run, other: Run) -> None:
    """Print the keys whose values differ between two runs, and both results.

    \b
    nn runs diff last last
    """
    from rich.table import Table

    from nncli.config.origin import differing, leaves
    from nncli.run.folder import find
    from nncli.run.summary import decimals

    pair = [find(one), find(other)]
    values = [leaves(run.config) for run in pair]
    for run, facts in zip(pair, values, strict=True):
        facts.update({k: decimals(v) for k, v in run.read(run.summary).get("metrics", {}).items()})
    table = Table.grid(padding=(0, 3))
    table.add_row("", *(run.name for run in pair))
    for key, row in differing(values).items():
        table.add_row(key, *row)
    console().print(table)


@app.command()
def rm(
    runs: Annotated[list[str], typer.Argument(help="Runs to delete.", autocompletion=complete_runs)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    outside: Annotated[bool, typer.Option("--outside", help="Also delete runs outside the folder of runs.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also delete files in them that nn did not write.")] = False,
) -> None:
    """Delete runs, after asking for confirmation. Files in them that nn did not write are kept.

    \b
    nn runs rm last --yes
    """
    from nncli.run.folder import find
    from nncli.run.removal import contents, removable, remove

    found = [find(text, begun=False) for text in runs]
    chosen = {removable(run, outside=outside).path: run for run in found}  # all are checked before the first is deleted
    for real, run in chosen.items():
        others = _listed(contents(real).strays)
        kept = f" It also contains {others}: {'deleted too' if everything else 'kept'}." if others else ""
        if not yes and not confirmed(f"Delete {run.name} and its checkpoints?{kept}"):
            continue
        left = _listed(remove(run, outside=outside, everything=everything))
        say(f"deleted {run.name}" + (f"; kept the files that nn did not write: {left}" if left else ""))


def _listed(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(printable(name, lines=False) for name in sorted(names)[:most]) + more
