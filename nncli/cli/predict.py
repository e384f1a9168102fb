"""`nn predict`."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nncli.cli.complete import complete_runs
from nncli.cli.options import Json, Trust, TrustFile, may_write, refuse_given
from nncli.output import as_json, say

if TYPE_CHECKING:
    from nncli.predict.forecasts import Recorded
    from nncli.predict.run import Count
    from nncli.predict.writers import Writer

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN|FILE] INPUT",
        help="A run (a folder, a name or `last`, the default) or an exported file, then what to predict: files, "
        "folders, a text in quotes, or - for standard input.",
        autocompletion=complete_runs,
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(help="The file to write: .csv, .parquet or .jsonl, as its name says.", show_default=False),
]
Rejected = Annotated[
    Path | None,
    typer.Option(help="A CSV file for the samples that cannot be read, with the reasons.", show_default=False),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="Copy a column of the input; can be repeated.", show_default=False),
]
Top = Annotated[int | None, typer.Option(min=1, help="Show so many of the most probable classes.", show_default=False)]
Probabilities = Annotated[bool, typer.Option("--probabilities", help="Add the probability of every class.")]
Embed = Annotated[bool, typer.Option("--embed", help="Write embeddings: the input of the net's last layer.")]
Plot = Annotated[
    Path | None,
    typer.Option(help="Draw a forecast beside the naive one to this PNG file.", show_default=False),
]
Which = Annotated[Literal["best", "last"], typer.Option(help="The weights of the run.")]


def predict(
    context: typer.Context,
    words: Words = None,
    out: Out = None,
    rejected: Rejected = None,
    keep: Keep = None,
    top: Top = None,
    probabilities: Probabilities = False,
    embed: Embed = False,
    plot: Plot = None,
    which: Which = "best",
    json: Json = False,
    trust: Trust = None,
    trust_file: TrustFile = False,
) -> None:
    """Predict new samples with a run or an exported file.

    \b
    nn predict last new.csv
    nn predict last new.csv --out answers.parquet
    """
    from nncli.errors import NnError
    from nncli.predict import answers, inputs, run, writers
    from nncli.predict.engine import is_file, open_engine, split
    from nncli.predict.forecasts import Recorded

    if out and rejected and out.absolute() == rejected.absolute():
        raise NnError(f"--out and --rejected are both {out}; give them different names")
    for option, path in (("--out", out), ("--rejected", rejected)):
        _check(option, path, writers.FORMATS if option == "--out" else (".csv",))
    if plot is not None:
        may_write(plot, like="--plot forecast.png")
    name, given = split(words or ["last"])
    if words and name != words[0]:
        say("predicting with the last run", err=True)
    if is_file(name):
        refuse_given(context, ["which"], "has no effect on an exported file")
    else:
        refuse_given(context, ["trust_file"], "is for exported files, and this is a run")
    engine = open_engine(name, which=which, embed=embed, trust=trust or (), trust_file=trust_file)
    shown = answers.Shown(top, probabilities)
    answers.check(shown, engine.card)
    samples = {**engine.card["facts"], **engine.card["samples"]}
    if not given:
        raise NnError(f"name what {engine.name} is to predict: {inputs.takes(samples['kind'])}")
    recorded = Recorded(engine, given) if plot else None
    screen = writers.Screen() if sys.stdout.isatty() and not json and out is None else None
    with inputs.opened(given, samples) as sources, ExitStack() as stack:
        apart = stack.enter_context(writers.file(rejected)) if rejected else None
        target = screen or stack.enter_context(_target(out, json))
        count = run.predict(recorded or engine, sources, target, apart, shown=shown, keep=keep or ())
    if screen and count.predicted:
        screen.show()
    _report(count, out, rejected, json)
    if plot and recorded:
        _draw(recorded, given[0], plot)


def _check(option: str, path: Path | None, suffixes: Sequence[str]) -> None:
    from nncli.errors import NnError
    from nncli.predict.writers import refuse

    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        raise NnError(f"{option} is {path}; its name must end in {' or '.join(suffixes)}")
    may_write(path, refuse, f"{option} answers{suffixes[0]}")


def _draw(recorded: "Recorded", title: str, path: Path) -> None:
    """Draw a forecast beside the naive ones."""
    from nncli.insight import png
    from nncli.insight.forecast_plot import forecast_plot

    names, period = recorded.columns, recorded.card["samples"].get("period")
    drawing = forecast_plot(recorded.past_LF[:, : len(names)], recorded.ahead_HC, names, title, period)
    png.save(drawing.picture(), path, "--plot")
    say(f"plot: {path}", err=True)


def _target(out: Path | None, json: bool) -> "AbstractContextManager[Writer]":
    from nncli.predict import writers

    return writers.file(out) if out else writers.standard_output(".jsonl" if json else ".csv")


def _report(count: "Count", out: Path | None, rejected: Path | None, json: bool) -> None:
    """Say what was written where, and which samples were left out; raise NnError if that is all of them."""
    from nncli.errors import NnError

    lines = [f"  {reason}" for reason in count.reasons]
    if more := count.rejected - len(lines):
        lines.append(f"  and {more:,} more")
    where = f"are in {rejected}" if rejected else "can be kept apart with --rejected FILE"
    if not count.predicted:
        raise NnError("\n".join(["none of the samples could be read", *lines]))
    if count.rejected:
        total = count.predicted + count.rejected
        say("\n".join([f"{count.rejected:,} of {total:,} samples could not be read; they {where}", *lines]), err=True)
    if out and json:
        say(as_json({"out": str(out), "predicted": count.predicted, "rejected": count.rejected}))
    elif out:
        say(f"{count.predicted:,} prediction{'' if count.predicted == 1 else 's'} in {out}")
