"""How other processes of nn are started."""

import os
import sys


def python(module: str) -> list[str]:
    """The command that runs a module of nn in another process, where files of this folder hide packages only if they
    do here."""
    same = sys.path[0] in ("", os.getcwd())  # in `python -m nncli` they do
    return [sys.executable, *([] if same else ["-P"]), "-m", module]
