"""`python -m nncli` is `nn`, and so is the console script: a signal ends it without a traceback from here on."""

import os
import sys

from nncli.errors import Stopped
from nncli.run.processes.signals import Signals, end_quietly


def open_missing() -> None:
    """Nothing to read from and nowhere to write to, in place of a stream that a shell has closed (`>&-`)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest free one, which is the closed stream's own
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


def main() -> None:
    """Run `nn`; what is imported first, and what the interpreter does last, ends quietly as well."""
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
