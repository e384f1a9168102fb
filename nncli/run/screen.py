"""The output of a run: lines in a terminal or a pipe, JSON lines, or nothing."""

import os
import sys
from collections.abc import Collection
from typing import Any, Literal

from nncli.errors import printable
from nncli.output import as_json, say
from nncli.paths import runs_dir, shown
from nncli.run.folder import RunFolder
from nncli.run.summary import beside, decimals
from nncli.terminal import Terminal

Mode = Literal["auto", "bar", "plain", "json", "quiet"]


class Pipe(Terminal):
    """rich would end the program when its output is closed; a run continues without output."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Screen:
    """Prints in the form of the chosen mode. Ranks other than the first print nothing."""

    def __init__(self, mode: Mode = "auto") -> None:
        self.console: Terminal = Pipe()
        self.trust: Collection[str] = ()  # the packages that --trust named
        if mode == "auto":
            mode = "bar" if self.console.is_terminal else "plain"
        self.mode: Mode = mode

    def line(self, text: str, **facts: Any) -> None:
        """Print one line of text, or as JSON its facts."""
        if self.mode in ("bar", "plain"):
            self.console.print(printable(text), soft_wrap=True)  # rich drops some characters silently
        elif self.mode == "json":
            self._object(facts or {"note": text.strip()})

    def _object(self, facts: dict[str, Any]) -> None:
        self.console.print(as_json(facts), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a warning, which is shown in every mode."""
        say(text, err=True)

    def end(self, run: RunFolder, summary: dict[str, Any], max_steps: int | None = None) -> None:
        """Print the results at the end of a run: the best validation, the test part, the time, what to type next."""
        if self.mode == "json":
            self._object({"run": str(run.path), **summary})
        if self.mode in ("json", "quiet"):
            return
        for line in _results(summary):
            self.line(line)
        rate = summary["samples_per_s"]
        speed = f" · {rate:,.0f} samples/s" if rate else ""
        state = "" if summary["status"] == "finished" else f"{summary['status']} · "
        self.line(f"  {state}{summary['steps']} steps in {summary['wall_s']:.1f} s{speed} · {shown(run.path)}")
        name = "last" if run.path.is_relative_to(runs_dir()) else run.name
        by_steps = max_steps is not None and summary["steps"] >= max_steps  # then more epochs would change nothing
        more = f"max_steps={2 * summary['steps']}" if by_steps else f"max_epochs={max(2 * summary['epochs'], 1)}"
        trust = "".join(f" --trust {package}" for package in sorted(self.trust))
        self.line(f"next: nn eval {name}{trust} · nn resume {name} trainer.{more}{trust} · nn runs ls")


def _results(summary: dict[str, Any]) -> list[str]:
    """The best validation, the test part and simple opponents on it in a row each; nn eval shows more test metrics."""
    parts = {
        part: {k.split("/")[1]: value for k, value in summary["metrics"].items() if k.startswith(f"{part}/")}
        for part in ("val", "test")
    }
    names, rows = [*reversed(beside(parts["val"] or parts["test"])["model"])], []
    for part, when in (("val", f"best, step {summary['best_step']}"), ("test", "")):
        for who, metrics in beside(parts[part]).items():
            if metrics and (who == "model" or part == "test" or not parts["test"]):
                cells = [f"{name} {decimals(metrics[name])}" if name in metrics else "" for name in names]
                rows.append([part, *cells, when] if who == "model" else [who, *cells, ""])
    widths = [max(map(len, column)) for column in zip(*rows, strict=False)]
    return [
        "  " + "   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows
    ]
