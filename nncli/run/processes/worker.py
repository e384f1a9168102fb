"""A process that trains one run after another: `python -m nncli.run.processes.worker`, see pool.py.

A line of its input is a job as JSON; its answer says how the run ended. It ends with its input, and so with its parent.
"""

import json
import os
import socket
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from nncli.errors import NnError, RankLost, Stopped, unforeseen
from nncli.run.processes.signals import end_quietly


def _read(source: TextIO, jobs: "SimpleQueue[dict[str, Any]]") -> None:
    for line in source:
        jobs.put(json.loads(line))
    os._exit(0)  # the run in training, if any, can be resumed from its last checkpoint


def main() -> None:
    """Train what standard input says."""
    end_quietly()
    source, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    jobs = SimpleQueue()
    threading.Thread(target=_read, args=(source, jobs), daemon=True).start()
    from nncli.run import fit  # imports torch and Lightning
    from nncli.run.assemble import Kept

    Kept.on = True
    answers.write(f"{json.dumps({'pid': os.getpid()})}\n")
    while True:
        answers.write(f"{json.dumps(_train(fit, jobs.get()))}\n")


def nursery() -> None:
    """Import, and then fork a worker for each message, with the three files that come with it.

    They are left as zombies, so that their numbers are not used again.
    """
    parent = socket.socket(fileno=os.dup(0))
    import torch

    import nncli.run.fit  # noqa: F401

    while True:
        text, files, _, _ = socket.recv_fds(parent, 65536, 3)
        if not text:
            return
        if os.fork() == 0:
            parent.close()
            os.setsid()
            for place, file in enumerate(files):
                os.dup2(file, place)
            os.closerange(3, max(files) + 1)
            os.environ |= json.loads(text)
            torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
            main()
        for file in files:
            os.close(file)


def _train(fit: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Train the run of a job, or continue it, and say how it ended."""
    from nncli.config.compose import compose
    from nncli.run.folder import RunFolder
    from nncli.run.screen import Screen

    run, trust, typed = RunFolder(Path(job["run"])), job["trust"], job.get("typed", [])
    try:
        if run.config.is_file():
            fit.resume(run, typed, Screen("quiet"), trust)
        else:
            place = job["run"].replace("\\", "\\\\").replace('"', '\\"')  # a path may have commas and the like
            words = [f"recipe={job['config']}", f'run_dir="{place}"', *typed]
            fit.fit(compose(words, trust=trust), Screen("quiet"), trial=job["trial"])
    except Stopped:
        return {"stopped": True}
    except RankLost as error:
        return {"lost": str(error)}
    except NnError as error:
        return {"failed": str(error)}
    except Exception as error:  # of a net or a task of the user's own: other trials may succeed
        return {"failed": unforeseen(error)}
    return {}


if __name__ == "__main__":
    nursery() if "nursery" in sys.argv else main()
