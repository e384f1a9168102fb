"""`nn export`."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from nncli.cli.complete import complete_runs
from nncli.cli.options import HOWS, Finetune, Json, Trust, TrustFile, console, how_to_quantize, refuse_given
from nncli.errors import NnError
from nncli.output import as_json, say

if TYPE_CHECKING:
    from rich.table import Table

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN|FILE|WORD]",
        help="A run (a folder, a name or `last`, the default); with --check exported files, then values such as "
        "data.root=PATH.",
        autocompletion=complete_runs,
        show_default=False,
    ),
]
To = Annotated[
    list[str] | None, typer.Option("--to", metavar="FORMAT", help="A format; can be repeated.", show_default=False)
]
Out = Annotated[
    Path | None, typer.Option(help="The file; NAME.onnx and so on in this folder by default.", show_default=False)
]
Which = Annotated[Literal["best", "last"], typer.Option(help="The weights to export.")]
Form = Annotated[str, typer.Option(help="What the file computes: predict, or embedding.")]
Half = Annotated[bool, typer.Option("--half", help="Store and compute the net in float16.")]
Batch = Annotated[
    int | None, typer.Option(min=1, help="A fixed batch size, for runtimes that need one.", show_default=False)
]
Dynamic = Annotated[bool, typer.Option("--dynamic", help="Accept images of any size that the net accepts.")]
Opset = Annotated[int | None, typer.Option(help="The version of ONNX's operators.", show_default=False)]
Quantize = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(HOWS), help="Store 8-bit weights; static also computes in 8 bits.", show_default=False
    ),
]
Prune = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Begin with a new run without this fraction of the weights.", show_default=False),
]
Structured = Annotated[bool, typer.Option("--structured", help="Prune whole channels, which makes the model faster.")]
Tolerance = Annotated[
    float | None,
    typer.Option(min=0, help="The largest difference, relative to the largest answer.", show_default=False),
]
Fast = Annotated[bool, typer.Option("--fast", help="Compare 1,000 samples instead of the whole part.")]
Check = Annotated[bool, typer.Option("--check", help="Compare exported files with their run again, on any machine.")]
PRUNING = ("structured", "finetune")
WRITING = ("to", "out", "which", "form", "half", "batch", "dynamic", "opset", "quantize", "prune", *PRUNING)


def export(
    context: typer.Context,
    words: Words = None,
    to: To = None,
    out: Out = None,
    which: Which = "best",
    form: Form = "predict",
    half: Half = False,
    batch: Batch = None,
    dynamic: Dynamic = False,
    opset: Opset = None,
    quantize: Quantize = None,
    prune: Prune = None,
    structured: Structured = False,
    finetune: Finetune = 1,
    tolerance: Tolerance = None,
    fast: Fast = False,
    check: Check = False,
    trust_file: TrustFile = False,
    json: Json = False,
    trust: Trust = None,
) -> None:
    """Write a trained net as a file for other programs, and compare the file with the run.

    \b
    nn export last --to onnx --out digits.onnx
    nn export --check digits.onnx
    """
    if tolerance is not None and not math.isfinite(tolerance):
        raise NnError(f"--tolerance is {tolerance}; it must be a number, such as 0.001")
    names = [word for word in words or () if "=" not in word]
    values = [word for word in words or () if "=" in word]
    if check:
        refuse_given(context, WRITING, "has no effect with --check")
        _check(names, values, trust_file, tolerance, fast, json, trust or [])
        return
    refuse_given(context, ["trust_file"], "is for --check, which opens a file")
    if prune is None:
        refuse_given(context, PRUNING, "has no effect without --prune")
    run, formats = _asked(names, values, to or [])
    if out is not None and len(formats) > 1:
        raise NnError("--out names one file, and there are several formats; export them one at a time")
    if prune is not None and which != "best":
        raise NnError("--prune begins with the best weights, so it cannot be used with --which last")
    from nncli.export import prune as cut
    from nncli.export.export import ready, written
    from nncli.export.formats import How, Options
    from nncli.run.model import load

    how = cast(How, how_to_quantize(quantize)) if quantize else None
    options, trusted = Options(half, batch, dynamic, opset, how), trust or ()
    model = load(run, which=which, trust=trusted)
    name = None if prune is None else cut.new_name(model.config.name)
    paths = {one: ready(model, one, out, form, options, pruned=name) for one in formats}
    if prune is not None:
        pruned = cut.pruned(model.run.path, prune, structured, finetune, quiet=json, trust=trusted)
        model = load(pruned.path, trust=trusted)
    for one, path in paths.items():
        report = written(model, one, path, form=form, options=options, tolerance=tolerance, fast=fast)
        _show(report, json)


def _asked(names: list[str], values: list[str], to: list[str]) -> tuple[str, list[str]]:
    """The run and the formats; raises NnError with the right command for words that name something else."""
    from nncli.export.formats import find, suffixes
    from nncli.export.formats import names as every

    run = names[0] if names else "last"
    if not to:
        like = next((word for word in names if word in every()), "onnx")
        raise NnError(f"name a format: nn export {run if run != like else 'last'} --to {like}")
    if len(names) > 1 or values:
        raise NnError(f"one run can be exported at a time, without further words; got {' '.join([*names, *values])}")
    if run.endswith(suffixes()):
        raise NnError(f"{run} is an exported file already; name the run that it is from, or: nn export --check {run}")
    return run, [find(name) for name in to]


def _check(
    files: list[str],
    values: list[str],
    trusted: bool,
    tolerance: float | None,
    fast: bool,
    json: bool,
    trust: list[str],
) -> None:
    from nncli.export.acceptance import failures
    from nncli.export.check import recheck

    if not files:
        raise NnError("name the exported file: nn export --check digits_mlp.onnx")
    wrong = []
    for file in files:
        report = recheck(Path(file), values, trusted=trusted, tolerance=tolerance, fast=fast, trust=trust)
        _show(report, json)
        wrong += [f"{file}: {text}" for text in failures(report)]
    if wrong:
        raise NnError("\n".join(wrong))


def _show(report: dict[str, Any], json: bool) -> None:
    if json:
        say(as_json(report))
        return
    size = f" · {report['bytes'] / 1e6:,.2f} MB" if "bytes" in report else ""
    say(f"{report['file']}{size} · from {report['run']}")
    for note in report.get("notes", ()):
        say(f"  {note}")
    gap, allowed = report["largest_difference"], report["allowed_difference"]
    mean = f", {report['mean_difference']:.1e} on average" if "mean_difference" in report else ""
    limit = "" if allowed is None else f" (allowed: {allowed:.1e})"
    what = "they" if report["samples"] == "its tensors" else "answers"
    say(f"  compared on {report['samples']}: {what} differ by at most {gap:.1e}{mean}{limit}")
    if why := report.get("not_compared"):
        say(f"  not compared: {why}")
    if (table := _table(report)) is not None:
        console().print(table)


def _table(report: dict[str, Any]) -> "Table | None":
    """Metrics and speed of the run in torch, and of the file."""
    from rich.table import Table

    from nncli.run.summary import decimals

    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for name in ("", "run", "file"):
        table.add_column(name, justify="left" if not name else "right")
    for name, both in report.get("metrics", {}).items():
        table.add_row(f"  {name}", *(decimals(both[key]) if key in both else "" for key in ("before", "after")))
    if timing := report.get("timing"):
        both = [timing["torch"], timing["file"]]
        table.add_row("  one sample, median", *(f"{one['p50_ms']:.2f} ms" for one in both))
        table.add_row("  one sample, 99th percentile", *(f"{one['p99_ms']:.2f} ms" for one in both))
        table.add_row("  samples per second", *(f"{one['samples_per_s']:,.0f} (batch {one['batch']})" for one in both))
    return table if table.row_count else None
