"""`python -m nncli`, and the console script `nn`: from here on, signals end it without a traceback."""

import os
import sys

from nncli.errors import Stopped
from nncli.run.processes.signals import Signals, end_quietly


def open_missing() -> None:
    """Replace each stream that the shell has closed (`>&-`) by the null device."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest free one, which is that of the closed stream
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


def main() -> None:
    """Run `nn`; signals during the first imports and at interpreter exit also end it quietly."""
    open_missing()
    end_quietly()
    from nncli.cli.main import main as run

    try:
        with Signals().caught():
            run()
    except Stopped as stopped:  # while a message was being printed
        os._exit(stopped.exit_code)


if __name__ == "__main__":
    main()
