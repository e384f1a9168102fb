"""A process that trains one run after another: `python -m nncli.run.processes.worker`, see pool.py.

A line of its input is a job as JSON; its answer says how the run ended. It ends with its input, and so with its parent.
"""

import json
import os
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from nncli.errors import NnError, RankLost, Stopped, unforeseen

READY = {"ready": True}


def _read(source: TextIO, jobs: "SimpleQueue[dict[str, Any]]") -> None:
    for line in source:
        jobs.put(json.loads(line))
    os._exit(0)  # the run in training, if any, can be resumed from its last checkpoint


def main() -> None:
    source, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    jobs = SimpleQueue()
    threading.Thread(target=_read, args=(source, jobs), daemon=True).start()
    from nncli.run import fit  # imports torch and Lightning
    from nncli.run.assemble import Kept

    Kept.on = True
    answers.write(f"{json.dumps(READY)}\n")
    while True:
        answers.write(f"{json.dumps(_train(fit, jobs.get()))}\n")


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
    sys.exit(main())
