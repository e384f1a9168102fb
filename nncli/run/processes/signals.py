"""SIGINT and SIGTERM: a request to stop during a run, a quiet exit when there is nothing to save."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from nncli.errors import Stopped

BOTH = (signal.SIGINT, signal.SIGTERM)
MASKS = hasattr(signal, "pthread_sigmask")  # Windows has none


class Signals:
    """SIGINT and SIGTERM: the first requests a stop at the next batch, the second quits at once."""

    def __init__(self) -> None:
        self.asked: int | None = None
        self.at_once = True  # before training there is nothing to save
        self.process = os.getpid()

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self.process:  # a forked worker: Ctrl-C reaches it too, but its parent decides
            if signum != signal.SIGINT:
                os._exit(128 + signum)
            return
        if self.asked is not None:
            os._exit(128 + signum)
        self.asked = signum
        if self.at_once:
            if _importing(frame):
                os._exit(128 + signum)
            raise Stopped(signum)

    @contextmanager
    def caught(self) -> Iterator["Signals"]:
        """Handle both signals inside the block; only the main thread can, others change nothing."""
        try:
            old = {s: signal.signal(s, self) for s in BOTH}
        except ValueError:
            yield self
            return
        try:
            yield self
        finally:
            for signum, handler in old.items():
                signal.signal(signum, handler)


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported; many modules replace an exception by one of their own, or print it."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return True
        frame = frame.f_back
    return False


def end_quietly() -> None:
    """From here on, both signals end this process at once without output, including those that `held_back` blocked."""
    for signum in BOTH:
        signal.signal(signum, _quit)
    sys.unraisablehook = _unraisable
    if MASKS:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, BOTH)


def _quit(signum: int, frame: FrameType | None) -> None:
    os._exit(128 + signum)


def _unraisable(lost: Any) -> None:
    """Stop even if the signal arrived inside a destructor, from which no exception can propagate."""
    if isinstance(lost.exc_value, Stopped):
        os._exit(lost.exc_value.exit_code)
    sys.__unraisablehook__(lost)


@contextmanager
def held_back() -> Iterator[None]:
    """Block both signals: in this process until the end, in one started inside until its own `end_quietly`."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, BOTH) if MASKS else set()
    try:
        yield
    finally:
        if MASKS:
            signal.pthread_sigmask(signal.SIG_SETMASK, old)
