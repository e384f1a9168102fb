"""The progress of the steps: a bar in a terminal, lines in a pipe."""

import time
from typing import Any, cast

from lightning.pytorch import LightningModule, Trainer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nncli.run.callbacks.metrics import Recorder
from nncli.run.callbacks.step import StepCallback
from nncli.run.screen import Screen

REFRESH = 0.2  # seconds between two refreshes of the bar; each costs about 2 ms
PLAIN = 10.0  # seconds between two plain lines


class Bar(StepCallback):
    """Progress of the steps, refreshed by time and not by step, so that its cost does not depend on their speed."""

    def __init__(self, screen: Screen, recorder: Recorder, monitor: str) -> None:
        self.screen, self.recorder, self.monitor = screen, recorder, monitor
        self.due = 0.0
        self.progress: Progress | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.due = time.perf_counter() + (REFRESH if self.screen.mode == "bar" else PLAIN)
        if self.screen.mode != "bar":
            return
        self.progress = Progress(
            TextColumn("  {task.fields[place]}", markup=False),
            BarColumn(bar_width=32),
            TextColumn("{task.fields[facts]}", markup=False),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self.screen.console,
            auto_refresh=False,
            transient=True,
        )
        total = cast(Any, pl_module).total_steps
        self.task = self.progress.add_task("", total=total, completed=trainer.global_step, place="", facts="")
        self.progress.start()

    def on_step_end(self, trainer: Trainer, module: LightningModule) -> None:
        now = time.perf_counter()
        if now < self.due:
            return
        wait = REFRESH if self.screen.mode == "bar" else PLAIN
        self.due = now + wait
        self._show(trainer, module)

    def _show(self, trainer: Trainer, module: LightningModule) -> None:
        r = self.recorder
        losses = {name: r.latest[f"train/{name}"] for name in r.logged if f"train/{name}" in r.latest}
        losses |= cast(Any, module).means.so_far()
        rate = (r.step - r.row_step) * r.batch_size / max(time.perf_counter() - r.row_clock, 1e-9)
        if not r.step - r.row_step:
            rate = r.latest.get("samples_per_s", 0.0)
        judged = f" · {self.monitor} {r.latest[self.monitor]:.4g}" if self.monitor in r.latest else ""
        lr = trainer.optimizers[0].param_groups[0]["lr"]
        shown_losses = " · ".join(f"{name} {losses[name]:.4g}" for name in r.logged if name in losses)
        facts = f"{rate:,.0f} samples/s · {shown_losses}{judged} · lr {lr:.2g}"
        place = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        if self.progress:
            self.progress.update(self.task, completed=trainer.global_step, place=place, facts=facts)
            self.progress.refresh()
        elif self.screen.mode == "plain":
            self.screen.line(f"  {place} · step {trainer.global_step} · {facts}")
        elif self.screen.mode == "json":
            self.screen.line("", step=trainer.global_step, epoch=trainer.current_epoch, **r.latest)

    def close(self) -> None:
        """Remove the bar from the screen, however training ended."""
        if self.progress:
            self.progress.stop()
            self.progress = None

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.close()
