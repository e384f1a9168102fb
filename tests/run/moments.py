"""Ends a training run on purpose, at a chosen moment, in a forked process; another one goes on with it.

A moment is a hook of the training loop, or the instant before a file of the run is opened for writing, renamed, linked
or removed. They come in the same order every time, so that each has a number.
"""

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sklearn.datasets  # noqa: F401  # what a child needs is imported once, before it is forked
import torch._dynamo  # noqa: F401
from lightning.pytorch.trainer import call

from nncli.errors import NnError, Stopped
from nncli.run import folder
from nncli.run.callbacks import checkpointing
from nncli.run.fit import fit_words, resume
from nncli.run.learner import Learner
from nncli.run.screen import Screen

HOOKS = (
    *("on_train_start", "on_train_end", "on_train_epoch_start", "on_train_batch_start", "on_train_batch_end"),
    *("on_train_epoch_end", "on_validation_start"),
    *("on_validation_batch_end", "on_validation_end", "on_test_start", "on_test_batch_end", "on_test_end"),
)
STEP = ("_take", "_gradients", "_before_step", "_step_over")  # what the Learner does in a step, with its end
FILES = ("open", "os.rename", "os.link", "os.remove")  # what Python calls the writing of files, before it is done


class Moments:
    """Counts moments in this process; at the chosen one the process sends itself a signal."""

    def __init__(self, root: Path, log: Path, at: int | None, signum: int) -> None:
        self.root, self.at, self.signum = str(root), at, signum
        self.count = 0
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def watch(self) -> None:
        real = call._call_callback_hooks

        def told(trainer: Any, hook_name: str, *args: Any, **kwargs: Any) -> None:
            if hook_name in HOOKS:
                self.moment(hook_name)
            real(trainer, hook_name, *args, **kwargs)

        call._call_callback_hooks = told
        for name in STEP:
            setattr(Learner, name, self._before(name, getattr(Learner, name)))
        sys.addaudithook(self._audited)

    def _before(self, name: str, real: Any) -> Any:
        def told(*args: Any, **kwargs: Any) -> Any:
            self.moment(name)
            return real(*args, **kwargs)

        return told

    def _audited(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in FILES or not isinstance(args[0], str | os.PathLike):
            return
        if event == "open" and not (isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        path = os.path.join(self.root, os.fspath(args[1] if event in ("os.rename", "os.link") else args[0]))
        if path.startswith(self.root):
            self.moment(f"{event} {Path(path).name.replace(str(os.getpid()), 'PID')}")

    def moment(self, name: str) -> None:
        os.write(self.log, f"{name}\n".encode())
        self.count += 1
        if self.count - 1 == self.at:
            os.kill(os.getpid(), self.signum)


def run_in_child(
    where: Path,
    words: Sequence[str],
    log: Path,
    *,
    go_on: bool = False,
    at: int | None = None,
    signum: int = signal.SIGKILL,
    after: float | None = None,
) -> int:
    """Train in `where` (or go on there) in a forked process; its exit code, -9 for one that was killed.

    It ends itself at a moment, or is killed after so many seconds.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if child := os.fork():
        if after is not None:
            time.sleep(after)
            os.kill(child, signal.SIGKILL)  # it is not waited for yet, so its number is still its own
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    code = 99
    with contextlib.suppress(BaseException):
        code = _child(where, words, log, go_on, at, signum)
    os._exit(code)


def _child(where: Path, words: Sequence[str], log: Path, go_on: bool, at: int | None, signum: int) -> int:
    said = os.open(log.with_suffix(".said"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    checkpointing.SHORTEST = 0.0  # every epoch's end is saved, as where epochs take longer
    os.fsync = lambda handle: None  # a process that dies loses nothing that was written; only a power cut would
    Moments(where, log, at, signum).watch()
    try:
        if go_on:
            resume(folder.find(str(where)), list(words), Screen("quiet"))
        else:
            fit_words([*words, f"run_dir={where}"], show="quiet")
    except Stopped as stopped:
        return stopped.exit_code
    except NnError as error:
        os.write(said, f"{error}\n".encode())
        return error.exit_code
    except BaseException:
        os.write(said, traceback.format_exc().encode())
        return 98
    return 0
