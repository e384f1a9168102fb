"""`nn shrink`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.options import Finetune, Json, Run, Trust, console, how_to_quantize, refuse_given
from nncli.output import as_json, say

if TYPE_CHECKING:
    from rich.table import Table

Quantize = Annotated[
    list[str] | None,
    typer.Option(help="Store 8-bit weights: dynamic, static or weight-only; can be repeated.", show_default=False),
]
Prune = Annotated[
    list[float] | None,
    typer.Option(min=0, max=1, help="A fraction of the channels to remove; can be repeated.", show_default=False),
]
Sweep = Annotated[
    bool, typer.Option("--sweep", help="Try every way to quantize, and 0.3, 0.5 and 0.7 of the channels.")
]
Fast = Annotated[bool, typer.Option("--fast", help="Evaluate 1,000 samples instead of the whole part.")]


def shrink(
    context: typer.Context,
    run: Run = "last",
    quantize: Quantize = None,
    prune: Prune = None,
    sweep: Sweep = False,
    finetune: Finetune = 1,
    fast: Fast = False,
    json: Json = False,
    trust: Trust = None,
) -> None:
    """Compare smaller versions of a run: size, speed and metric of each as ONNX. Each pruned one is a new run.

    \b
    nn shrink last --quantize static --fast
    nn shrink last --prune 0.5 --quantize static --fast
    """
    from nncli.errors import NnError

    if not (sweep or quantize or prune):
        raise NnError("choose what to compare, such as --sweep, --quantize static or --prune 0.5")
    if not (sweep or prune):
        refuse_given(context, ["finetune"], "has no effect without --prune or --sweep")
    from nncli.export.shrink import SWEEP, settings
    from nncli.export.shrink import shrink as measure

    hows = [how_to_quantize(word) for word in quantize or ()]
    tried = dict.fromkeys([*settings(prune or (), hows), *(SWEEP if sweep else ())])
    report = measure(
        run,
        list(tried),
        epochs=finetune,
        fast=fast,
        quiet=json,
        announce=lambda text: say(text, err=True),
        trust=trust or (),
    )
    if json:
        say(as_json(report))
        return
    say(f"{report['run']} in ONNX Runtime")
    console().print(_table(report))
    for row in report["rows"]:
        if "failed" in row:
            say(f"  {row['setting']}: {row['failed']}")
    for share, name in {row["setting"].partition(",")[0]: row.get("run") for row in report["rows"]}.items():
        if share.startswith("pruned"):
            say(f"  {share} is {name}")
    say(f"next: nn export {report['run']} --to onnx --quantize static")


def _table(report: dict[str, Any]) -> "Table":
    """A row for each setting, compared with the first, which is the net as it is."""
    from rich.table import Table

    metric, rows = report["metric"], [row for row in report["rows"] if "failed" not in row]
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for name in ("", "MB", "", "one sample", "samples/s", "", metric, ""):
        table.add_column(name, justify="left" if not table.columns else "right")
    for row in rows:
        first, value = rows[0], row["metrics"].get(metric)
        table.add_row(
            f"  {row['setting']}",
            f"{row['bytes'] / 1e6:,.3f}",
            f"÷ {first['bytes'] / row['bytes']:.1f}",
            f"{row['p50_ms']:.2f} ms",
            f"{row['samples_per_s']:,.0f}",
            f"× {row['samples_per_s'] / first['samples_per_s']:.1f}",
            "" if value is None else f"{value:.4f}",
            "" if value is None else f"{value - first['metrics'][metric]:+.4f}",
        )
    return table
