"""One rank of a run that several processes train: `python -m nncli.run.processes.rank FOLDER SCREEN CHECKPOINT`."""

import os
import sys
import threading
from pathlib import Path
from typing import Any, cast

from nncli.errors import NnError, Stopped, TrainingFailed, unforeseen
from nncli.run.processes.signals import Signals, end_quietly


def _end_with_parent() -> None:
    """The parent never writes to this pipe, which closes when the parent ends."""
    os.read(0, 1)
    os._exit(3)


def main() -> int:
    folder, mode, checkpoint = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from nncli.config.compose import load_frozen
    from nncli.run.assemble import assemble
    from nncli.run.callbacks.nonfinite import NonFinite
    from nncli.run.checkpoint import facts
    from nncli.run.folder import RunFolder
    from nncli.run.screen import Screen
    from nncli.run.train import train

    first = os.environ["RANK"] == "0"
    screen = Screen(cast(Any, mode if first else "quiet"))
    run = RunFolder(Path(folder))
    try:
        with Signals().caught() as signals:
            config, path = load_frozen(run.config), Path(checkpoint) if checkpoint else None
            train(config, run, assemble(config, facts=facts(path), fitted=path is not None), screen, signals, path)
    except Stopped as stopped:
        return stopped.exit_code
    except TrainingFailed as error:
        if not first and isinstance(error.__cause__, NonFinite):
            screen.warn(f"rank {os.environ['RANK']}: {error}")
        return error.exit_code  # that of the first rank is in summary.json, from which the parent reports it
    except NnError as error:
        screen.warn(str(error))
        return error.exit_code
    except Exception as error:
        if os.environ.get("NN_DEBUG"):
            raise
        screen.warn(f"rank {os.environ['RANK']}: {unforeseen(error)}")
        return 1
    return 0


if __name__ == "__main__":
    end_quietly()  # before the long imports; the parent held signals back until here
    code = main()
    sys.stdout.flush()
    os._exit(code)  # after the loss of a rank, communication threads would never end
