"""Everything a person can be told went wrong, and the exit code it ends with.

0 done; 1 something the person can mend; 2 wrong usage; 3 training failed, the run is resumable;
130 and 143 stopped by SIGINT or SIGTERM, the run is resumable.
"""

import errno
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 50  # problems of a config that a person is shown
LONGEST = 1000  # characters of each of their texts


class NnError(Exception):
    """A message for a person: what was wrong, and the command that mends it."""

    exit_code = 1


class DataError(NnError):
    """The data is not what the config says, or is not there."""


class CheckpointError(NnError):
    """A checkpoint is missing, broken or not one of ours."""


class TrainingFailed(NnError):
    """Training ended early (NaN, out of memory, disk full, a rank lost); the run can be resumed."""

    exit_code = 3


class Stopped(BaseException):
    """SIGINT or SIGTERM ended the run at a batch boundary; derived from BaseException so nothing swallows it."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by signal {signum}")
        self.signum = signum
        self.exit_code = 128 + signum
        self.run = ""  # that can be gone on with


def printable(text: str, lines: bool = True) -> str:
    """Text that cannot move a terminal's cursor or clear its screen; line ends and tabs stay, or are shown."""
    return text if text.isprintable() else "".join(_shown(c, lines) for c in text)


def _shown(c: str, lines: bool) -> str:
    if c.isprintable() or (lines and c in "\n\t"):
        return c
    return "↵" if c == "\n" else " " if c == "\t" or unicodedata.category(c) == "Zs" else "�"


def reason(error: OSError) -> str:
    """What the system refused, with the file that it is about."""
    if isinstance(error, FileNotFoundError) and error.filename is None:  # what asking for the current folder raises
        return "the current folder is gone: it was deleted or moved; go to another one (cd)"
    name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
    denied = isinstance(error, PermissionError) and error.errno == errno.EACCES
    said = "permission denied; look at who may read it" if denied else error.strerror or str(error)
    return f"{name}: {said}" if name else said or type(error).__name__


def unforeseen(error: Exception) -> str:
    """What a person is told of an error that no verb has looked for."""
    if isinstance(error, OSError):
        return reason(error)
    text = str(error).partition("\n")[0]
    return f"nn itself failed: {type(error).__name__}: {text}\nNN_DEBUG=1 shows where"


def short(text: str, most: int = LONGEST) -> str:
    """Text of a file, cut where it would fill the screen."""
    return text if len(text) <= most else text[: most - 1] + "…"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a config: the full key, its value, who set it, and what would be right."""

    key: str
    value: str
    where: str  # "you typed it", "recipes/digits_mlp.yaml:9"
    text: str


class ConfigError(NnError):
    """All problems of a config at once."""

    def __init__(self, problems: Sequence[Problem], see: str = "") -> None:
        self.problems = list(problems)
        self.see = see
        lines = [f"{short(p.key)} = {short(p.value)} ({p.where}): {short(p.text)}" for p in self.problems[:SHOWN]]
        lines += [f"and {len(self.problems) - SHOWN} more"] if len(self.problems) > SHOWN else []
        super().__init__("\n".join(lines))
