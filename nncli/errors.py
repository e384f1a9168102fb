"""Every error that a user can cause or meet, and its exit code.

0 success; 1 something the user can fix; 2 wrong usage; 3 training failed, the run can be resumed;
130 and 143 stopped by SIGINT or SIGTERM, the run can be resumed.
"""

import errno
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SHOWN = 50  # problems of a config that are printed
LONGEST = 1000  # characters of each of their texts


class NnError(Exception):
    """A message for the user: what is wrong, and the command that fixes it."""

    exit_code = 1


class DataError(NnError):
    """The data is not what the config says, or is missing."""


class CheckpointError(NnError):
    """A checkpoint is missing, broken or was not written by nn."""


class TrainingFailed(NnError):
    """Training ended early (NaN, out of memory, disk full, a rank lost); the run can be resumed."""

    exit_code = 3


class RankLost(TrainingFailed):
    """A process of a run was killed or stopped; the same run may well succeed when it is resumed."""


class Stopped(BaseException):
    """SIGINT or SIGTERM ended the run between two batches; a BaseException, so that nothing swallows it."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by signal {signum}")
        self.signum = signum
        self.exit_code = 128 + signum
        self.run = ""  # the run that can be resumed


def printable(text: str, lines: bool = True) -> str:
    """Text that cannot move the cursor or clear the screen; newlines and tabs are kept, or with lines=False shown."""
    return text if text.isprintable() else "".join(_shown(c, lines) for c in text)


def _shown(c: str, lines: bool) -> str:
    if c.isprintable() or (lines and c in "\n\t"):
        return c
    return "↵" if c == "\n" else " " if c == "\t" or unicodedata.category(c) == "Zs" else "�"


def reason(error: OSError) -> str:
    """What the system refused, and for which file."""
    if isinstance(error, FileNotFoundError) and error.filename is None:  # raised by os.getcwd()
        return "the current folder no longer exists: it was deleted or moved; change to another one (cd)"
    name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
    denied = isinstance(error, PermissionError) and error.errno == errno.EACCES
    text = "permission denied; check its permissions" if denied else error.strerror or str(error)
    return f"{name}: {text}" if name else text or type(error).__name__


def unforeseen(error: Exception) -> str:
    """The message for an error that no command expects."""
    if isinstance(error, OSError):
        return reason(error)
    text = str(error).partition("\n")[0]
    return f"nn itself failed: {type(error).__name__}: {text}\nset NN_DEBUG=1 to see the traceback"


def short(text: str, most: int = LONGEST) -> str:
    """Text from a file, cut so that it does not fill the screen."""
    return text if len(text) <= most else text[: most - 1] + "…"


# the kind of a problem, for programs and searches; docs/reference/problems.md explains each
Code = Literal[
    "cannot-build",
    "cannot-remove",
    "circular-reference",
    "duplicate",
    "frozen-key",
    "incompatible-value",
    "invalid-defaults",
    "invalid-override",
    "invalid-yaml",
    "missing-extra",
    "missing-key",
    "must-be-typed",
    "no-effect",
    "not-a-section",
    "not-a-value",
    "not-in-defaults",
    "outside-run",
    "reserved-key",
    "too-large",
    "unknown-choice",
    "unknown-class",
    "unknown-key",
    "unknown-metric",
    "unknown-reference",
    "unreadable-file",
    "unsafe-reference",
    "untrusted-class",
    "unusable-weights",
    "wrong-class",
    "wrong-value",
]
Fault = tuple[Code, str]  # a problem without its key: the code, which is stable, and the text, which may change


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a config: the full key, its value, who set it, and what would be right."""

    key: str
    value: str
    where: str  # "you typed it", "recipes/digits_mlp.yaml:9"
    code: Code
    text: str


class ConfigError(NnError):
    """All problems of a config at once."""

    def __init__(self, problems: Sequence[Problem], see: str = "") -> None:
        self.problems = list(problems)
        self.see = see
        shown = self.problems[:SHOWN]
        lines = [f"{short(p.key)} = {short(p.value)} ({p.where}): {short(p.text)} [{p.code}]" for p in shown]
        lines += [f"and {len(self.problems) - SHOWN} more"] if len(self.problems) > SHOWN else []
        super().__init__("\n".join(lines))
