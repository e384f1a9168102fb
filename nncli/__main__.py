"""`python -m nncli` is `nn`, and so is the console script: a signal ends it without a traceback from here on."""

import os

from nncli.errors import Stopped
from nncli.run.signals import Signals, end_quietly


def main() -> None:
    """Run `nn`; what is imported first, and what the interpreter does last, ends quietly as well."""
    end_quietly()
    from nncli.cli.main import main as run

    try:
        with Signals().caught():
            run()
    except Stopped as stopped:  # while a message was being printed
        os._exit(stopped.exit_code)


if __name__ == "__main__":
    main()
