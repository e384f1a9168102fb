"""Training in this one process: the only place that makes Lightning's Trainer."""

import logging
import os
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import Trainer

from nncli.config.build import build
from nncli.config.compose import Config
from nncli.errors import NnError, TrainingFailed
from nncli.output import say
from nncli.run import random
from nncli.run.assemble import Parts, assemble, cut, section
from nncli.run.average import averaging
from nncli.run.best import Best
from nncli.run.checkpoint import AtomicIO, newest, weights
from nncli.run.crew import Crew, NoProfiler
from nncli.run.files import write_atomic
from nncli.run.folder import RunFolder
from nncli.run.identity import identity, read, unfit
from nncli.run.keeper import Keeper
from nncli.run.memory import keep_freed
from nncli.run.record import Recorder
from nncli.run.resumer import Begun, Resumer
from nncli.run.screen import Bar, Screen
from nncli.run.signals import Signals
from nncli.run.trainer import QUIET, lightning_arguments
from nncli.run.watch import NonFinite, Watch

LOOKS_AT_ONCE = ("cpu",)  # devices on which reading the loss at every step costs nothing


@contextmanager
def hushed() -> Iterator[None]:
    """Keep the libraries' own banners, tips and warnings off the screen; what matters of them is checked by us."""
    for name in ("lightning.pytorch", "lightning.fabric", "torch.distributed", "torch.nn.parallel"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        for module in ("lightning", "torch", "pytorch_lightning"):
            warnings.filterwarnings("ignore", module=rf"{module}\b.*")
        yield


@dataclass
class Session:
    """One process's training of one run: the trainer and the callbacks it talks to afterwards."""

    trainer: Trainer
    recorder: Recorder
    keeper: Keeper
    bar: Bar

    def summary(self, status: str, seed: int) -> dict[str, Any]:
        facts = self.recorder.summary(status, self.keeper.epochs, self.trainer.global_step, seed)
        facts["metrics"] |= self.keeper.best.results
        facts["best_step"] = self.keeper.best.step
        return facts


def train(
    config: Config, run: RunFolder, parts: Parts, screen: Screen, signals: Signals, resume: Path | None
) -> dict[str, Any]:
    """Train to the end, judge the test part, write summary.json. Whatever ends it early is written there first."""
    with hushed():
        session = _session(config, run, parts, screen, signals, resume)
        seed, first = int(config.tree.seed), session.trainer.global_rank == 0
        if first:
            _write_summary(run, session.summary("running", seed), screen)
        status = "stopped"
        try:
            _fit_and_test(session, config, run, parts, resume)
            status = "finished"
        except NonFinite as error:
            where = _replay(config, run, parts, error) if error.unclear else str(error)
            status = f"failed: {where}"
            raise TrainingFailed(where) from error
        except NnError as error:
            status = f"failed: {error}"
            raise
        except Exception as error:
            status = f"failed: {_first_line(error)}"
            if resume and not session.keeper.begun:
                raise unfit(resume, error) from error
            raise TrainingFailed(_explained(error, run)) from error
        finally:
            session.bar.close()
            if first:
                _write_summary(run, session.summary(status, seed), screen)
    return session.summary(status, seed)


def _write_summary(run: RunFolder, facts: dict[str, Any], screen: Screen) -> None:
    try:
        run.write(run.summary, facts)
    except OSError as error:  # a full disk: the checkpoints are what matters, and they are whole
        screen.warn(f"summary.json could not be written: {error.strerror}")


def _session(
    config: Config, run: RunFolder, parts: Parts, screen: Screen, signals: Signals, resume: Path | None
) -> Session:
    settings, task = parts.trainer, parts.task
    first = int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0
    recorder = Recorder(run if first else None, task.metrics, settings["log_every"], parts.data.batch_size)
    bar = Bar(screen, recorder, task.monitor)
    average = averaging(settings)
    watch = Watch(settings["log_every"], eager=parts.where.accelerator in LOOKS_AT_ONCE)
    resumer = Resumer(resume)
    keeper = Keeper(
        run.checkpoints,
        recorder,
        signals,
        Best(task.monitor, task.mode, settings["early_stopping"]),
        screen.line,
        average,
        watch,
        identity(run.config) if run.config.is_file() else {},  # a bench has none
        resumer,
        **section(config, "checkpoint"),
    )
    arguments = lightning_arguments(settings, parts.where)
    set_torch(parts, parts.where.devices)
    logged = first and "_target_" in config.tree.logger
    logger = cast(Any, build(config.tree.logger, config=config, save_dir=str(run.path))) if logged else False
    arguments["plugins"] = [*arguments["plugins"], AtomicIO()]
    trainer = Trainer(
        **arguments,
        **QUIET,
        callbacks=Crew([resumer, average, watch, recorder, bar, keeper]),
        profiler=NoProfiler(),
        logger=logger,
        default_root_dir=run.path,
        log_every_n_steps=settings["log_every"],
    )
    trainer.fit_loop.__class__ = Begun
    # our own handlers stay: Lightning's would swallow SIGINT and requeue SLURM jobs
    trainer._signal_connector.register_signal_handlers = lambda: None
    return Session(trainer, recorder, keeper, bar)


def set_torch(parts: Parts, processes: int) -> None:
    """Process-wide choices: threads, where so many processes share them, repeatability, memory layout, compilation."""
    settings = parts.trainer
    if parts.where.accelerator == "cpu":
        keep_freed()
    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    elif parts.where.accelerator == "cpu" and processes > 1:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // processes))
    cast(Any, torch.utils.deterministic).fill_uninitialized_memory = False  # costs time and changes no result of ours
    if settings["channels_last"]:
        parts.task.net.to(memory_format=torch.channels_last)
    if settings["compile"]:
        parts.task.net.compile()


def _fit_and_test(session: Session, config: Config, run: RunFolder, parts: Parts, resume: Path | None) -> None:
    trainer, task, data = session.trainer, parts.task, parts.data
    device = trainer.strategy.root_device
    cut(config, parts, rank=trainer.global_rank, world=trainer.world_size, device=device)
    random.seed_all(int(config.tree.seed) + trainer.global_rank)
    trainer.fit(task, datamodule=data, ckpt_path=resume, weights_only=True)
    if config.tree.test:
        best = run.checkpoints / "best.ckpt"
        task.load_state_dict(weights(read(best if best.is_file() else run.checkpoints / "last.ckpt", run)))
        trainer.test(task, dataloaders=data.test_dataloader(), verbose=False)
        judged = {k: v for k, v in task.results.items() if k.startswith("test/")}
        session.keeper.watch.judged(trainer, "test", judged)
        session.recorder.row(trainer, session.keeper.epochs - 1, judged)


def _replay(config: Config, run: RunFolder, parts: Parts, error: NonFinite) -> str:
    """Train again from the newest checkpoint up to the bad step, looking at every one, to name the layer."""
    if parts.where.world > 1:
        return str(error)
    again, newest_whole = assemble(config, data=parts.data), newest(run.checkpoints, say)
    trainer = Trainer(
        **lightning_arguments(parts.trainer | {"max_steps": error.step + 1}, parts.where),
        **QUIET,
        callbacks=Crew([Resumer(newest_whole), Watch(1, eager=True)]),
        logger=False,
        limit_val_batches=0,
    )
    cut(config, again)
    random.seed_all(int(config.tree.seed))
    try:
        trainer.fit(again.task, datamodule=again.data, ckpt_path=newest_whole, weights_only=True)
    except NonFinite as found:
        return str(found)
    return f"{error} A replay from the newest checkpoint did not meet it again."


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _explained(error: Exception, run: RunFolder) -> str:
    """What a person needs of an exception that nothing foresaw; the traceback goes to a file."""
    file = run.path / "error.txt"
    try:
        write_atomic(file, "".join(traceback.format_exception(error)).encode(errors="replace"))
        place = f"; the traceback is in {file}"
    except OSError:
        place = ""
    if "DataLoader worker" in str(error):
        return f"a process that decodes data was killed; nn resume goes on, with loader.workers=1 it takes less{place}"
    if isinstance(error, torch.OutOfMemoryError):
        return f"out of memory. Try a smaller data.batch_size, or trainer.accumulate=2 for the same batch{place}"
    return f"training failed: {_first_line(error)}{place}"
