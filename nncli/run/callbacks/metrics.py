"""The rows of metrics.csv, and the content of summary.json."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, cast

from annotated_types import Ge
from lightning.pytorch import LightningModule, Trainer

from nncli import STARTED
from nncli.config.annotations import accepts, phrase
from nncli.run.callbacks.step import StepCallback
from nncli.run.environment import peak_memory_mb
from nncli.run.folder import RunFolder, write_atomic


class Metrics:
    """metrics.csv: its columns are fixed at the start, and rows are only added, except that a resume removes some."""

    def __init__(self, path: Path, columns: list[str]) -> None:
        self.path = path
        self.columns = columns
        self.rows = 0

    def rewind(self, rows: int) -> None:
        """Keep the header and the first `rows` rows, and remove later and half-written ones, in one step."""
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.is_file() else []
        header = (",".join(self.columns) + "\n").encode()
        write_atomic(self.path, b"".join([header, *lines[1 : rows + 1]]))
        self.rows = rows

    def add(self, row: dict[str, float | int]) -> None:
        """Append a line with one write, so that a killed process leaves at most one incomplete line, at the end."""
        cells = [f"{row[c]:.10g}" if c in row else "" for c in self.columns]
        with open(self.path, "ab") as f:
            f.write((",".join(cells) + "\n").encode())
        self.rows += 1

    def sync(self) -> None:
        with open(self.path, "ab") as f:
            os.fsync(f.fileno())


Count = Annotated[int, Ge(0)]
STATE: dict[str, Any] = {"rows": Count, "row_step": Count, "latest": dict[str, float]}


class Recorder(StepCallback):
    """Writes a row of metrics when one is due. Until then, the sums to average stay on the device."""

    def __init__(
        self,
        folder: RunFolder | None,
        logged: Iterable[str],
        metrics: Iterable[str],
        log_every: int,
        batch_size: int,
        turns: Iterable[str] = ("",),
    ) -> None:
        self.logged = list(logged)
        self.rates = [f"lr_{name}" if at else "lr" for at, name in enumerate(turns)]
        judged = [f"{part}/{name}" for part in ("val", "test") for name in metrics]
        trained = [f"train/{name}" for name in self.logged]
        columns = ["step", "epoch", *self.rates, *trained, *judged, "samples_per_s", "time_s"]
        self.folder = folder  # None on every rank but the first
        self.metrics = Metrics(folder.metrics, columns) if folder else None
        self.log_every = log_every
        self.batch_size = batch_size
        self.step = 0
        self.row_step = 0
        self.latest: dict[str, float] = {}
        self.rows = 0  # up to the checkpoint that is resumed, if any
        self.first_step_s: float | None = None
        self.seconds = 0.0  # of training, without evaluation
        self.samples = 0
        self._clock = self.row_clock = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.step = trainer.global_step
        if self.metrics:
            self.metrics.rewind(self.rows)
        self._clock = self.row_clock = time.perf_counter()

    def on_step_end(self, trainer: Trainer, module: LightningModule) -> None:
        self.step = step = trainer.global_step
        if self.first_step_s is None:
            self.first_step_s = time.time() - STARTED
        last = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if last or step == trainer.max_steps:
            self._pause()
        elif step % self.log_every == 0:
            self.row(trainer, trainer.current_epoch)

    def _pause(self) -> None:
        """Exclude what follows (evaluating, saving) from the training time."""
        self.seconds += time.perf_counter() - self._clock

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._clock = time.perf_counter()

    def row(self, trainer: Trainer, epoch: int, judged: dict[str, float] | None = None) -> None:
        """Write the means since the last row, and the metrics of an evaluation; only the first rank writes."""
        step, now = self.step, time.perf_counter()
        rate = (step - self.row_step) * self.batch_size / max(now - self.row_clock, 1e-9)
        rates = [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers]
        facts: dict[str, float] = {**dict(zip(self.rates, rates, strict=False)), **(judged or {})}
        if trained := cast(Any, trainer.lightning_module).means.take(trainer.strategy):
            facts |= {f"train/{name}": value for name, value in trained.items()} | {"samples_per_s": rate}
        self.samples += (step - self.row_step) * self.batch_size
        self.row_step, self.row_clock = step, now
        self.latest |= facts
        if self.metrics:
            place = {"step": step, "epoch": epoch, "time_s": time.time() - STARTED}
            self.metrics.add(place | facts)
            for logger in trainer.loggers:
                logger.log_metrics(facts, step=step)

    def state_dict(self) -> dict[str, Any]:
        rows = self.metrics.rows if self.metrics else 0
        return {"rows": rows, "row_step": self.row_step, "latest": self.latest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for key, hint in STATE.items():
            if not accepts(state_dict[key], hint):
                raise ValueError(f"{key} must be {phrase(hint)}")
        self.row_step = state_dict["row_step"]
        self.latest = dict(state_dict["latest"])
        self.rows = state_dict["rows"]

    def summary(self, status: str, epochs: int, steps: int, seed: int) -> dict[str, Any]:
        """The summary for programs; its keys are documented, and none is ever removed."""
        flat = {k: v for k, v in self.latest.items() if "/" in k}
        return {
            "status": status,
            "metrics": flat,
            "wall_s": round(time.time() - STARTED, 3),
            "first_step_s": None if self.first_step_s is None else round(self.first_step_s, 3),
            "samples_per_s": round(self.samples / self.seconds, 1) if self.seconds else None,
            "peak_memory_mb": peak_memory_mb(),
            "epochs": epochs,
            "steps": steps,
            "seed": seed,
        }
