"""A sweep as one HTML page that needs no script and no network, and its plots as PNG files."""

import shlex
from collections.abc import Sequence
from html import escape
from pathlib import Path

from nncli.errors import printable
from nncli.insight.drawing import label
from nncli.insight.png import save
from nncli.paths import PLOTS
from nncli.run.files import write_atomic
from nncli.sweep.best import line
from nncli.sweep.plots import plots
from nncli.sweep.record import Record, open_sweep
from nncli.sweep.trial import Trial

PAGE = "report.html"
LINES = 5  # of a pareto front that are printed
STYLE = """
:root { color-scheme: light }
body { font: 14px/1.5 system-ui, sans-serif; color: #24292f; background: #fff }
body { max-width: 996px; margin: 24px auto; padding: 0 12px }
h1 { font-size: 22px; margin: 0 } h2 { font-size: 16px; margin: 28px 0 8px }
p { margin: 4px 0 } .faint { color: #6e7781 }
pre { background: #f6f8fa; border-radius: 6px; padding: 10px 12px; white-space: pre-wrap; overflow-wrap: anywhere }
.plots { display: flex; flex-wrap: wrap; gap: 20px 12px; margin: 20px 0 }
svg { max-width: 100%; height: auto; font-family: system-ui, sans-serif; break-inside: avoid }
circle:hover, rect:hover { stroke: #000; stroke-width: 1.5 }
g:hover polyline:first-child { stroke: #000; stroke-width: 3 }
.table { overflow-x: auto } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { padding: 3px 12px 3px 0; text-align: right; border-bottom: 1px solid #e4e7eb; white-space: nowrap }
th { color: #6e7781; font-weight: 600 } td.text { text-align: left }
tr.best { background: #fdf0e3; font-weight: 600 } tr.pruned { color: #6e7781 } tr.failed { color: #cf222e }
@media print { body { margin: 0; max-width: none } }
"""


def page(folder: Path, url: str | None = None) -> Path:
    """Write the page and the PNG files into the sweep's folder; where the page is."""
    record = open_sweep(folder, url)
    drawings = plots(record)
    (record.folder / PLOTS).mkdir(exist_ok=True)
    for name, drawing in drawings.items():
        save(drawing.picture(), record.folder / PLOTS / f"{name}.png")
    file = record.folder / PAGE
    write_atomic(file, html(record, [drawing.svg() for drawing in drawings.values()]).encode())
    return file


def html(record: Record, drawings: Sequence[str]) -> str:
    """The page."""
    name, counts = record.folder.name, record.counts()
    typed = [word for word in record.words if not word.startswith("sweep.storage=")]  # which may name a password
    best = "".join(
        f"<p><b>trial {one.slot}</b>, {'best' if len(record.metrics) == 1 else 'on the pareto front'}: "
        f"{_text(', '.join(f'{key} {label(value)}' for key, value in record.results(one).items()))}</p>"
        f"<pre>{_text(line(record, one))}</pre>"
        for one in record.winners[:LINES]
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{_text(name)}</title><style>{STYLE}</style></head><body>
<h1>{_text(name)}</h1>
<p class="faint">{_text(", ".join(f"{count} {state}" for state, count in counts.items() if count))}</p>
<p class="faint">nn sweep {_text(shlex.join(typed))}</p>
{best or "<p>No trial is complete yet.</p>"}
<div class="plots">{"".join(drawings)}</div>
<h2>Trials</h2>
<div class="table">{_table(record)}</div>
</body></html>
"""


def _table(record: Record) -> str:
    heads = "".join(f"<th>{_text(head)}</th>" for head in ("trial", "state", *record.metrics, *record.dimensions))
    rows = "".join(_row(record, one) for one in record.ranked())
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _row(record: Record, one: Trial) -> str:
    values = [label(value) for value in one.values or []] + [""] * (len(record.metrics) - len(one.values or []))
    cells = [str(one.slot), one.state, *values, *(label(one.picked.get(key, "")) for key in record.dimensions)]
    kind = "best" if one in record.winners else one.state
    row = f'<tr class="{kind}">{"".join(f"<td>{_text(cell)}</td>" for cell in cells)}</tr>'
    why = f'<td></td><td class="text" colspan="{len(cells) - 1}">{_text(one.why)}</td>'
    return row + (f'<tr class="failed">{why}</tr>' if one.why else "")


def _text(text: str) -> str:
    return escape(printable(text))
