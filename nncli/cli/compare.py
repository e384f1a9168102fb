"""`nn compare`."""

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.complete import complete_runs
from nncli.cli.eval import Part, Which
from nncli.cli.options import Json, Trust, console, may_write
from nncli.output import as_json, say
from nncli.run.summary import decimals

if TYPE_CHECKING:
    from rich.table import Table

    from nncli.insight.compare import Curves, Judged, Verdict

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN RUN [RUN|WORD]",
        help="At least two runs (a folder, a name or `last`), then values for all of them such as data.root=PATH.",
        autocompletion=complete_runs,
        show_default=False,
    ),
]
Level = Annotated[
    float,
    typer.Option(min=0.0001, max=0.5, help="The risk of calling a difference real where there is none; 95% is 0.05."),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Draw the curves of the monitored metric and train/loss to this PNG file.", show_default=False),
]


def compare(
    words: Words = None,
    part: Part = "test",
    which: Which = "best",
    level: Level = 0.05,
    out: Out = None,
    json: Json = False,
    trust: Trust = None,
) -> None:
    """Compare runs: config and metrics side by side, and whether each difference from the first is real.

    \b
    nn train recipe=wine_mlp run_dir=first
    nn compare first last
    nn compare first last --part val --out compare.png
    """
    from nncli.config.origin import differing, leaves
    from nncli.insight import compare as insight
    from nncli.run.folder import find

    if out is not None:
        may_write(out, like="--out compare.png")
    runs = insight.distinct([find(word) for word in words or () if "=" not in word])
    values = [word for word in words or () if "=" in word]
    keys = differing([leaves(run.config) for run in runs])
    found = [insight.judge(run, values, part=part, which=which, trust=trust or ()) for run in runs]
    verdicts = insight.verdicts(found, level)
    panels = _panels(found, [insight.curves(run) for run in runs])
    if out is not None and panels:
        from nncli.insight import pictures, png

        png.save(pictures.overlay(panels, [run.name for run in runs]), out)
    if json:
        rows = [
            {"run": str(one.run.path), "name": one.run.name, "metrics": one.metrics}
            | {"curves": {title: lines[at] for title, lines in panels.items()}}
            for at, one in enumerate(found)
        ]
        facts = {"part": part, "weights": which, "level": level, "runs": rows, "config": keys}
        say(as_json(facts | {"verdicts": [asdict(one) for one in verdicts]}))
        return
    names = [run.name for run in runs]
    say(f"{len(keys)} {'key differs' if len(keys) == 1 else 'keys differ'} in the configs")
    console().print(_table(names, keys))
    say(f"{part} part · {which} weights · * the best")
    console().print(_table(names, _metrics(found)))
    say(f"is the difference from {names[0]} real? level {level:g}")
    for verdict in verdicts:
        say(f"  {verdict.run}: {sentence(verdict, level)}")
    if out is not None:
        say(f"curves: {out}" if panels else f"{out} was not drawn: the runs have no rows of metrics")


def sentence(verdict: "Verdict", level: float) -> str:
    """Whether the difference is real, by how much, and how sure that is."""
    if verdict.gain is None or verdict.low is None or verdict.high is None:
        return f"not tested: {verdict.why}"
    gain, low, high = (_side(value, verdict.in_points) for value in (verdict.gain, verdict.low, verdict.high))
    blocks = f" in {verdict.blocks:,} blocks" if verdict.blocks < verdict.samples else ""
    sure = f"{100 * (1 - level):.4g}%: {low} to {high}, p = {verdict.p:.2g}, {verdict.samples:,} samples{blocks}"
    return f"{f'real: {gain}' if verdict.real else 'no real difference'} in {verdict.metric} ({sure})"


def _side(gain: float, in_points: bool) -> str:
    """A gain in words, such as `1.2 points better`."""
    size = f"{100 * abs(gain):.1f} points" if in_points else f"{abs(gain):.4g}"
    return f"{size} {'worse' if gain < 0 else 'better'}"


def _panels(found: "Sequence[Judged]", curves: "Sequence[Curves]") -> "dict[str, list[list[tuple[int, float]]]]":
    """The lines of every run, for each monitored metric and train/loss, if any run has them."""
    titles = dict.fromkeys([*(one.monitor for one in found), "train/loss"])
    panels = {title: [one.get(title, []) for one in curves] for title in titles}
    return {title: lines for title, lines in panels.items() if any(lines)}


def _metrics(found: "Sequence[Judged]") -> dict[str, list[str]]:
    """Every metric of every run; the best on the samples of the first is marked, where it is known which is better."""
    rows: dict[str, list[str]] = {}
    alike = [one.samples == found[0].samples for one in found]
    for name in dict.fromkeys(name for one in found for name in one.metrics):
        values = [one.metrics.get(name) for one in found]
        rivals = [
            value for value, rival in zip(values, alike, strict=True) if rival and value is not None and isfinite(value)
        ]
        direction = found[0].better.get(name)
        best = {"min": min, "max": max}[direction](rivals) if direction and len(set(rivals)) > 1 else None
        won = [rival and best is not None and value == best for value, rival in zip(values, alike, strict=True)]
        rows[name] = [decimals(value) + (" *" if star else "") for value, star in zip(values, won, strict=True)]
    return rows


def _table(names: Sequence[str], rows: dict[str, list[str]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 3))
    if rows:
        table.add_row("", *names)
    for key, values in rows.items():
        table.add_row(f"  {key}", *(Text(value, "bold green" if value.endswith(" *") else "") for value in values))
    return table
