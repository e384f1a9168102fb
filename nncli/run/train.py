"""The training of a run in one process."""

import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import Trainer

from nncli.config.build import build
from nncli.config.compose import Config
from nncli.config.hosting import is_lightning
from nncli.errors import NnError, TrainingFailed
from nncli.output import say
from nncli.run import hosted, random
from nncli.run.assemble import Parts, assemble, place_data, section
from nncli.run.best import Best
from nncli.run.callbacks.averaging import averaging
from nncli.run.callbacks.checkpointing import Keeper
from nncli.run.callbacks.metrics import Recorder
from nncli.run.callbacks.nonfinite import NonFinite, Watch
from nncli.run.callbacks.progress_bar import Bar
from nncli.run.callbacks.resuming import Begun, Resumer
from nncli.run.callbacks.step import StepCallback
from nncli.run.checkpoint import newest, weights
from nncli.run.files import write_atomic
from nncli.run.folder import RunFolder
from nncli.run.identity import identity, read, unfit
from nncli.run.learner import Learner
from nncli.run.memory import keep_freed
from nncli.run.moves import better
from nncli.run.processes.signals import Signals
from nncli.run.quiet import quiet_libraries
from nncli.run.screen import Screen
from nncli.run.trainer import learner, lightning_trainer

LOOKS_AT_ONCE = ("cpu",)  # devices on which reading the loss at every step is free


@dataclass
class Session:
    """The training of a run in one process: the trainer, and the callbacks that are used afterwards."""

    trainer: Trainer
    learner: Learner
    recorder: Recorder
    keeper: Keeper
    bar: Bar
    parameters: int

    go: Callable[[], None]

    @property
    def first(self) -> bool:
        return self.trainer.global_rank == 0

    @property
    def begun(self) -> bool:
        return self.keeper.begun

    def close(self) -> None:
        self.bar.close()

    def summary(self, status: str, seed: int) -> dict[str, Any]:
        facts = self.recorder.summary(status, self.keeper.epochs, self.learner.step, seed)
        facts["metrics"] |= self.keeper.best.results
        facts |= {"best_step": self.keeper.best.step, "parameters": self.parameters}
        return facts


def train(
    config: Config,
    run: RunFolder,
    parts: Parts,
    screen: Screen,
    signals: Signals,
    resume: Path | None,
    watching: Sequence[StepCallback] = (),
) -> dict[str, Any]:
    """Train to the end, evaluate the test part, write summary.json, which also records what ended a run early."""
    with quiet_libraries():
        seed = int(config.tree.seed)
        session = _session(config, run, parts, screen, signals, resume, watching)
        if session.first:
            _write_summary(run, session.summary("running", seed), screen)
        status = "stopped"
        try:
            session.go()
            status = "pruned" if run.pruned.exists() else "finished"
        except NonFinite as error:
            where = _replay(config, run, parts, error) if error.unclear else str(error)
            status = f"failed: {where}"
            raise TrainingFailed(where) from error
        except NnError as error:
            status = f"failed: {error}"
            raise
        except Exception as error:
            status = f"failed: {_first_line(error)}"
            if resume and not session.begun:
                raise unfit(resume, error) from error
            raise TrainingFailed(_explained(error, run)) from error
        finally:
            session.close()
            if session.first:
                _write_summary(run, session.summary(status, seed), screen)
    return session.summary(status, seed)


def _write_summary(run: RunFolder, facts: dict[str, Any], screen: Screen) -> None:
    try:
        run.write(run.summary, facts)
    except OSError as error:  # a full disk: what matters are the checkpoints, which are intact
        screen.warn(f"summary.json could not be written: {error.strerror}")


def _session(
    config: Config,
    run: RunFolder,
    parts: Parts,
    screen: Screen,
    signals: Signals,
    resume: Path | None,
    watching: Sequence[StepCallback],
) -> "Session | hosted.Session":
    settings, task = parts.trainer, parts.task
    first = int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0
    logged = first and "_target_" in config.tree.logger
    logger = cast(Any, build(config.tree.logger, config=config, save_dir=str(run.path))) if logged else False
    known = identity(run.config) if run.config.is_file() else {}  # nn bench has none
    if is_lightning(type(task), "task"):
        keeping = hosted.Keeping(run, screen, signals, known, settings["early_stopping"])
        test, seed = bool(config.tree.test), int(config.tree.seed)
        return hosted.session(parts, keeping, logger=logger, resume=resume, test=test, seed=seed)
    turns = [turn.name for turn in task.turns()]
    parameters = sum(p.numel() for turn in task.turns() for p in turn.net.parameters())
    recorder = Recorder(
        run if first else None, task.logged, task.metrics, settings["log_every"], parts.data.batch_size, turns
    )
    bar = Bar(screen, recorder, task.monitor)
    average = averaging(settings)
    shared = parts.where.strategy == "fsdp"  # no rank may read its net alone
    watch = Watch(settings["log_every"], eager=parts.where.accelerator in LOOKS_AT_ONCE and not shared)
    resumer = Resumer(resume)
    keeper = Keeper(
        run.checkpoints,
        recorder,
        signals,
        Best(task.monitor, better(task), settings["early_stopping"]),
        screen.line,
        average,
        watch,
        known,
        resumer,
        **section(config, "checkpoint"),
    )
    set_torch(parts, parts.where.devices)
    trainer = lightning_trainer(
        settings,
        parts.where,
        [resumer, average, watch, recorder, bar, keeper, *watching],
        turns=len(turns),
        logger=logger,
        default_root_dir=run.path,
        log_every_n_steps=settings["log_every"],
    )
    trainer.fit_loop.__class__ = Begun
    place_data(config, parts, rank=trainer.global_rank, world=trainer.world_size, device=trainer.strategy.root_device)
    module = learner(task, parts.data.train_dataloader(), settings, parts.where)
    session = Session(
        trainer, module, recorder, keeper, bar, parameters, lambda: _fit_and_test(session, config, run, parts, resume)
    )
    return session


def set_torch(parts: Parts, processes: int) -> None:
    """Process-wide settings: threads for this number of processes, memory format, compilation."""
    settings = parts.trainer
    if parts.where.accelerator == "cpu":
        keep_freed()
    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    elif parts.where.accelerator == "cpu" and processes > 1:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // processes))
    cast(Any, torch.utils.deterministic).fill_uninitialized_memory = False  # takes time and does not affect our results
    for turn in parts.task.turns():
        if settings["channels_last"]:
            turn.net.to(memory_format=torch.channels_last)
        if settings["compile"]:
            turn.net.compile()


def _fit_and_test(session: Session, config: Config, run: RunFolder, parts: Parts, resume: Path | None) -> None:
    trainer, module, data = session.trainer, session.learner, parts.data
    random.seed_all(int(config.tree.seed) + trainer.global_rank)
    trainer.fit(module, module.batches, data.val_dataloader(), ckpt_path=resume, weights_only=True)
    if config.tree.test:
        best = run.checkpoints / "best.ckpt"
        whole = weights(read(best if best.is_file() else run.checkpoints / "last.ckpt", run))
        trainer.strategy.load_model_state_dict({"state_dict": whole})
        trainer.test(module, dataloaders=data.test_dataloader(), verbose=False)
        metrics = {k: v for k, v in module.results.items() if k.startswith("test/")}
        session.keeper.watch.judged(trainer, "test", metrics)
        session.recorder.row(trainer, session.keeper.epochs - 1, metrics)


def _replay(config: Config, run: RunFolder, parts: Parts, error: NonFinite) -> str:
    """Train again from the newest checkpoint to the bad step, checking every step, to find the layer."""
    if parts.where.world > 1:
        return str(error)
    again, newest_whole = assemble(config, data=parts.data), newest(run.checkpoints, say)
    settings = parts.trainer | {"max_steps": error.step + 1}
    callbacks = [Resumer(newest_whole), Watch(1, eager=True)]
    trainer = lightning_trainer(settings, parts.where, callbacks, limit_val_batches=0)
    place_data(config, again)
    random.seed_all(int(config.tree.seed))
    module = learner(again.task, again.data.train_dataloader(), settings, parts.where)
    try:
        trainer.fit(module, module.batches, ckpt_path=newest_whole, weights_only=True)
    except NonFinite as repeated:
        return str(repeated)
    return f"{error} It did not occur again in a replay from the newest checkpoint."


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _explained(error: Exception, run: RunFolder) -> str:
    """The message for an unexpected exception; its traceback is written to a file."""
    file = run.path / "error.txt"
    try:
        write_atomic(file, "".join(traceback.format_exception(error)).encode(errors="replace"))
        place = f"; the traceback is in {file}"
    except OSError:
        place = ""
    if "DataLoader worker" in str(error):
        return f"a process that decodes data was killed; resume with loader.workers=1, which needs less memory{place}"
    if isinstance(error, torch.OutOfMemoryError):
        return f"out of memory. Try a smaller data.batch_size, or trainer.accumulate=2 for the same batch{place}"
    return f"training failed: {_first_line(error)}{place}"
