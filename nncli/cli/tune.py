"""`nn tune`: lr, batch."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.options import Json, Trust, Words, may_write
from nncli.output import as_json, say

if TYPE_CHECKING:
    from nncli.config.compose import Config
    from nncli.run.assemble import Parts
    from nncli.run.screen import Screen
    from nncli.tune.batch import Search

app = typer.Typer(help="Find the learning rate or the batch size to train with.", no_args_is_help=True)
Steps = Annotated[int, typer.Option(min=10, help="The number of optimizer steps of the test.")]
Low = Annotated[float, typer.Option(help="The first learning rate.")]
High = Annotated[float, typer.Option(help="The last learning rate, unless the loss diverges before.")]
Out = Annotated[Path | None, typer.Option(help="Also save the plot as this PNG file.", show_default=False)]
MemoryShare = Annotated[
    float,
    typer.Option("--memory-share", min=0.01, max=0.95, help="The share of the free memory that a step may take."),
]


@app.command()
def lr(
    words: Words = None,
    steps: Steps = 100,
    low: Low = 1e-6,
    high: High = 10.0,
    out: Out = None,
    json: Json = False,
    trust: Trust = None,
) -> None:
    """Raise the learning rate from step to step, plot the loss and suggest a rate. No run is created.

    \b
    nn tune lr recipe=digits_cnn --out lr.png
    """
    from nncli.errors import NnError
    from nncli.insight.png import save

    if not 0 < low < high < float("inf"):
        raise NnError(f"--low is {low:g} and --high is {high:g}; both must be numbers with 0 < low < high")
    if out:
        may_write(out)
    from nncli.tune.lr import drawn, picture, range_test, suggest, tuned

    config, parts, screen = _prepared(words or [], trust or (), json)
    now = tuned(config)
    curve = range_test(config, parts, low, high, steps)
    rate = suggest(curve)
    found = {key: float(f"{value * rate / now['optimizer.lr']:.2g}") for key, value in now.items()}
    if out:
        save(picture(curve, rate), out)
    typed = command("train", words or [], found, trust or ())
    if json:
        facts = {"now": now, "suggested": found, "type": typed, "ended": curve.ended}
        curves = {"rates": curve.rates.tolist(), "losses": curve.losses.tolist()}
        say(as_json({**facts, **curves, "png": str(out) if out else None}))
        return
    screen.line(drawn(curve, rate, _width()))
    screen.line(f"  {curve.ended or 'the test ended'} at {curve.rates[-1]:.2g}")
    if not curve.ended and curve.smooth.argmin() == len(curve.losses) - 1:
        screen.line(f"  the loss was still falling; to test higher rates: --high={10 * high:g}")
    screen.line(f"  suggested {rate:.2g} · the config has {now['optimizer.lr']:.2g}")
    if out:
        screen.line(f"  wrote {out}")
    screen.line(f"type: {typed}")


@app.command()
def batch(words: Words = None, memory_share: MemoryShare = 0.8, json: Json = False, trust: Trust = None) -> None:
    """Find the largest batch size that fits in memory, and the smallest that is about as fast. No run is created.

    \b
    nn tune batch recipe=wine_mlp
    """
    from nncli.tune.batch import search
    from nncli.tune.lr import finds_rate

    config, parts, screen = _prepared(words or [], trust or (), json)
    found = search(config, parts, memory_share)
    now, rate = parts.data.batch_size, config.tree.optimizer.get("lr")
    typed = {
        name: command("train", words or [], {"data.batch_size": size}, trust or ())
        for name, size in (("largest", found.found.largest), ("fast", found.found.fast))
    }
    if json:
        say(as_json({"now": now, **asdict(found), "type": typed}))
        return
    where = parts.where
    whose = f" of each of {where.world} devices" if where.world > 1 else ""
    screen.line(
        f"  a step may take {_mb(found.bound)}{whose}, {memory_share:.0%} of the {_mb(found.free)} that are free"
    )
    for line in _table(found):
        screen.line(line)
    screen.line(f"  the largest that fits: {found.found.largest:,} · the smallest about as fast: {found.found.fast:,}")
    steps = [len(parts.data.parts["train"]) // size for size in (found.found.fast, now)]
    screen.line(f"  the config has {now:,}; steps per epoch: {steps[0]:,}, now {steps[1]:,}")
    screen.line(f"type: {typed['fast']}")
    if rate and found.found.fast != now and finds_rate(config):
        again = command("tune lr", words or [], {"data.batch_size": found.found.fast}, trust or ())
        start = rate * found.found.fast / now
        screen.line(f"another batch size needs another learning rate: {again}, or begin with optimizer.lr={start:.2g}")


def _table(search: "Search") -> list[str]:
    """A line for each size that was tried or predicted."""
    lines = [f"  {'batch':>8}{'memory':>12}{'samples/s':>12}"]
    for row in search.found.rows:
        rate = f"{row.samples_per_s:,.0f}" if row.samples_per_s else "-"
        over = "  over the limit" if row.memory > search.bound else ""
        note = {
            "predicted": "  predicted, not tried",
            "too large": f"  too large{' (' + search.lost + ')' if search.lost else ''}",
        }
        lines.append(f"  {row.size:>8,}{_mb(row.memory):>12}{rate:>12}{note.get(row.state, '')}{over}")
    return lines


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def command(verb: str, words: Sequence[str], values: dict[str, Any], trust: Sequence[str]) -> str:
    """The command to type: what the person typed, with these values in place of their own."""
    kept = [word for word in words if word.partition("=")[0].lstrip("+") not in values]
    found = [f"{key}={value:.2g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items()]
    typed = [*kept, *found, *(part for package in trust for part in ("--trust", package))]
    return f"nn {verb} {shlex.join(typed)}"


def _prepared(words: Sequence[str], trust: Sequence[str], json: bool) -> "tuple[Config, Parts, Screen]":
    """The config, checked as nn train does it, with its data loaded; and its headline on the screen."""
    from nncli.config.compose import compose
    from nncli.run.fit import headline, prepared
    from nncli.run.screen import Screen

    screen = Screen("quiet" if json else "auto")
    config, parts = prepared(compose(words, trust=trust), screen)
    screen.line(headline(config, parts))
    return config, parts, screen


def _width() -> int:
    """The width of a chart without its axis."""
    import shutil

    return max(30, min(shutil.get_terminal_size().columns, 100) - 12)
