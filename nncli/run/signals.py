"""SIGINT and SIGTERM while a run is made."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from nncli.errors import Stopped


class Signals:
    """SIGINT and SIGTERM: the first asks for a stop at the next batch, the second quits at once."""

    def __init__(self) -> None:
        self.asked: int | None = None
        self.at_once = True  # before training there is nothing to save

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if self.asked is not None:
            os._exit(128 + signum)
        self.asked = signum
        if self.at_once:
            raise Stopped(signum)

    @contextmanager
    def caught(self) -> Iterator["Signals"]:
        """Handle both signals inside; a thread that is not the main one cannot, and leaves them as they are."""
        try:
            old = {s: signal.signal(s, self) for s in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:
            yield self
            return
        try:
            yield self
        finally:
            for signum, handler in old.items():
                signal.signal(signum, handler)
