"""A LightningModule of the user's own, trained by Lightning itself with its hooks, its optimizers and its data.

It gets a run's folder with its frozen config, rows of what it logs, checkpoints that are complete or absent, the best
weights by its validation loss, a resume from the end of the last epoch, and a stop by a signal. It does not get what
the Learner does for tasks: exact resumes inside an epoch, several steps per call, averages, a check of every loss.
"""

import csv
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, RichProgressBar

from nncli.errors import NnError, Stopped
from nncli.run import random
from nncli.run.best import Best
from nncli.run.callbacks.metrics import Metrics
from nncli.run.checkpoint import VERSION
from nncli.run.environment import peak_memory_mb
from nncli.run.folder import RunFolder
from nncli.run.placement import Placement
from nncli.run.processes.signals import Signals
from nncli.run.screen import Screen
from nncli.run.trainer import hosting_trainer

LOSSES = ("val/loss", "val_loss", "valid_loss", "validation_loss")  # usual names of the validation loss
BRINGS = ("hyper_parameters", "datamodule_hyper_parameters")  # left out of checkpoints: the frozen config has them


class Keeping(Checkpoint):
    """Rows, checkpoints and the best weights, at the end of each epoch and after the module's own hooks."""

    def __init__(
        self, run: RunFolder, screen: Screen, signals: Signals, identity: dict[str, str], patience: int | None
    ) -> None:
        self.run, self.screen, self.signals, self.identity = run, screen, signals, identity
        self.patience = patience
        self.best: Best | None = None
        self.saved: dict[str, Any] = {}
        self.metrics: Metrics | None = None
        self.rows = 0
        self.latest: dict[str, float] = {}
        self.validated = False  # in this epoch
        self.passed = 0.0  # seconds of training before this process
        self.seconds, self.began = 0.0, time.perf_counter()
        self.first_step: float | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.first_step is None:
            self.first_step = time.time()
        if self.signals.asked:
            raise Stopped(self.signals.asked)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.signals.at_once = False
        self.began = time.perf_counter()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.signals.at_once = True
        self.seconds = time.perf_counter() - self.began

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        logged = self._logged(trainer)
        self.latest |= logged
        name = next((name for name in LOSSES if name in logged), None)
        if self.best is None and name is not None:
            self.best = Best(name, "min", self.patience)
            if self.saved:
                self.best.load(self.saved)
        better = self.best is None or (name is not None and self.best.take(logged, trainer.global_step))
        self.validated = False
        if self.best is not None and self.best.given_up:
            trainer.should_stop = True
        if trainer.is_global_zero:
            self._row(trainer, logged)
        for file in ("best.ckpt",) * better + ("last.ckpt",):
            trainer.save_checkpoint(self.run.checkpoints / file)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.validated = True

    def _logged(self, trainer: Trainer) -> dict[str, float]:
        """The values logged in this epoch, averaged over ranks, so that all of them make the same decisions."""
        names = sorted(n for n in trainer.callback_metrics if self.validated or not n.startswith("val"))
        if not names:
            return {}
        device = trainer.strategy.root_device
        values = torch.stack([trainer.callback_metrics[name].detach().float().to(device) for name in names])
        means = trainer.strategy.reduce(values, reduce_op="mean")
        return dict(zip(names, means.tolist(), strict=True))

    def _columns(self, names: Iterable[str]) -> Metrics:
        """metrics.csv with a column for each of these names, in addition to its columns so far; its rows are kept."""
        had: list[dict[str, str]] = []
        if self.run.metrics.is_file():
            with open(self.run.metrics, newline="") as file:
                had = list(csv.DictReader(file))[: self.metrics.rows if self.metrics else self.rows]
        known = dict.fromkeys([*(name for row in had[:1] for name in row), *names])
        columns = ["step", "epoch", *(n for n in known if n not in ("step", "epoch", "time_s")), "time_s"]
        metrics = Metrics(self.run.metrics, columns)
        metrics.rewind(0)
        for row in had:
            metrics.add({name: float(value) for name, value in row.items() if value})
        self.passed = float(had[-1]["time_s"]) if had and self.metrics is None else self.passed
        return metrics

    def _row(self, trainer: Trainer, logged: dict[str, float]) -> None:
        if self.metrics is None or not logged.keys() <= set(self.metrics.columns):
            self.metrics = self._columns(sorted(logged))
        place = {"step": trainer.global_step, "epoch": trainer.current_epoch}
        self.metrics.add({**place, **logged, "time_s": self.passed + time.perf_counter() - self.began})
        shown = " · ".join(f"{name} {value:.4g}" for name, value in sorted(logged.items()))
        self.screen.line(
            f"  epoch {trainer.current_epoch + 1} · step {trainer.global_step} · {shown}", **place, **logged
        )

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        for key in BRINGS:
            checkpoint.pop(key, None)
        checkpoint["nncli"] = {
            "version": VERSION,
            "config": self.identity,
            "position": [trainer.current_epoch + 1, 0],
            "due": False,
            "ranks": [{"random": random.states(), "means": {}}],
            "step": trainer.global_step,
            "best": self.best.state() if self.best else {"value": None, "step": None, "results": {}, "worse": 0},
            "rates": [float(group["lr"]) for optimizer in trainer.optimizers for group in optimizer.param_groups],
            "rows": self.metrics.rows if self.metrics else 0,
        }

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self.saved, self.rows = checkpoint["nncli"]["best"], checkpoint["nncli"].get("rows", 0)

    def summary(self, trainer: Trainer, status: str, seed: int, started: float) -> dict[str, Any]:
        """The summary, with the same keys as for any run."""
        return {
            "status": status,
            "metrics": self.latest | (self.best.results if self.best else {}),
            "wall_s": round(time.time() - started, 3),
            "first_step_s": None if self.first_step is None else round(self.first_step - started, 3),
            "samples_per_s": None,
            "peak_memory_mb": peak_memory_mb(),
            "epochs": trainer.current_epoch,
            "steps": trainer.global_step,
            "seed": seed,
            "best_step": self.best.step if self.best else None,
        }


class Session:
    """The training of a run in one process, with the interface that `nncli.run.train` uses."""

    def __init__(
        self, keeping: Keeping, trainer: Trainer, module: Any, data: Any, resume: Path | None, test: bool
    ) -> None:
        self.keeping, self.trainer, self.module, self.data = keeping, trainer, module, data
        self.resume, self.test = resume, test
        self.first = trainer.global_rank == 0
        self.started = time.time()

    @property
    def begun(self) -> bool:
        return self.keeping.first_step is not None

    def go(self) -> None:
        """Train with Lightning's own loop, then evaluate the best weights on the test part, if there is one."""
        self.trainer.fit(self.module, ckpt_path=self.resume, weights_only=True, **_source(self.data))
        if self.test and _tests(self.module, self.data):
            file = self.keeping.run.checkpoints / "best.ckpt"
            self.trainer.test(self.module, ckpt_path=file, weights_only=True, verbose=False, **_tested(self.data))
            self.keeping.latest |= {name: float(value) for name, value in self.trainer.callback_metrics.items()}

    def summary(self, status: str, seed: int) -> dict[str, Any]:
        return self.keeping.summary(self.trainer, status, seed, self.started)

    def close(self) -> None:
        """There is nothing to take off the screen: Lightning's own bar does so itself."""


def session(
    parts: Any,
    keeping: Keeping,
    *,
    logger: Any,
    resume: Path | None,
    test: bool,
    seed: int,
) -> Session:
    bar = [RichProgressBar()] if keeping.screen.mode == "bar" and parts.where.world == 1 else []
    random.seed_all(seed)
    trainer = hosting_trainer(
        parts.trainer,
        parts.where,
        parts.task,
        [keeping, *bar],
        enable_progress_bar=bool(bar),
        logger=logger,
        default_root_dir=keeping.run.path,
    )
    return Session(keeping, trainer, parts.task, parts.data, resume, test)


def evaluate(module: Any, data: Any, section: dict[str, Any], where: Placement, part: str) -> dict[str, float]:
    """The metrics that the module's own validation or test steps log."""
    trainer = hosting_trainer(section, where, module, [], enable_progress_bar=False, logger=False)
    if part == "train" or (part == "test" and not _tests(module, data)):
        raise NnError(f"a LightningModule is evaluated by its own steps; this one has none for the {part} part")
    run = trainer.validate if part == "val" else trainer.test
    source = _source(data) if part == "val" and "datamodule" in _source(data) else _tested(data, part)
    run(module, verbose=False, **source)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def _source(data: Any) -> dict[str, Any]:
    if isinstance(data, LightningDataModule):
        return {"datamodule": data}
    return {"train_dataloaders": data.train_dataloader(), "val_dataloaders": data.val_dataloader()}


def _tested(data: Any, part: str = "test") -> dict[str, Any]:
    if isinstance(data, LightningDataModule):
        return {"datamodule": data}
    return {"dataloaders": data.evaluation(part)}


def _tests(module: Any, data: Any) -> bool:
    """Whether the module has a test step, and its data a test part."""
    steps = type(module).test_step is not LightningModule.test_step
    if not isinstance(data, LightningDataModule):
        return steps
    return steps and type(data).test_dataloader is not LightningDataModule.test_dataloader
