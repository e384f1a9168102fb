"""What a sweep shows while it runs: a line for each trial that ends, and on a terminal the progress of the whole."""

from collections.abc import Mapping
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nncli.errors import printable, short
from nncli.output import as_json
from nncli.run.screen import Screen


class SweepScreen:
    """Lines in the form of a run's screen, and a bar with the best trial so far."""

    def __init__(self, screen: Screen, total: int, metrics: list[str]) -> None:
        self.screen, self.total, self.metrics = screen, total, metrics
        self.bar = Progress(
            TextColumn("  {task.completed} of {task.total}"),
            BarColumn(bar_width=32),
            TextColumn("{task.fields[facts]}", markup=False),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=screen.console,
            transient=True,
        )
        self.task = self.bar.add_task("", total=total, facts="")

    def __enter__(self) -> "SweepScreen":
        if self.screen.mode == "bar":
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.screen.mode == "bar":
            self.bar.stop()

    def progress(self, counts: Mapping[str, int], best: tuple[int, float] | None) -> None:
        """How many trials are in each state, and the best one with its value."""
        ended = sum(counts.get(state, 0) for state in ("complete", "pruned", "failed"))
        facts = [f"{count} {state}" for state in ("running", "pruned", "failed") if (count := counts.get(state))]
        if best:
            facts.insert(0, f"best {self.metrics[0]} {best[1]:.4g} (trial {best[0]})")
        self.bar.update(self.task, completed=ended, facts=" · ".join(facts))

    def ended(self, slot: int, state: str, values: list[float], picked: Mapping[str, Any], why: str = "") -> None:
        """A trial has ended."""
        if self.screen.mode == "json":
            facts = {"trial": slot, "state": state, "values": dict(zip(self.metrics, values, strict=False))}
            self.screen.console.print(as_json({**facts, "picked": dict(picked), "why": why}), soft_wrap=True)
            return
        results = "   ".join(f"{name} {value:.4f}" for name, value in zip(self.metrics, values, strict=False))
        words = "  ".join(f"{key}={_brief(value)}" for key, value in picked.items())
        note = f"{state}   " if state != "complete" else ""
        self.screen.line(f"  {slot:>4}   {results or short(printable(why))}   {note}{words}")


def _brief(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
