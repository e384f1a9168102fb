"""Train several runs in workers, side by side: finished ones are left as they are, interrupted ones are continued."""

import os
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nncli.config.compose import Config
from nncli.config.places import outward
from nncli.errors import Stopped
from nncli.run.folder import RunFolder
from nncli.run.processes.pool import Pool
from nncli.run.processes.signals import Signals
from nncli.run.removal import remove

LOOK = 0.05  # seconds between two looks at the workers
RETRIES = 1  # how often a run is continued whose worker died
MOST = 8  # workers that are started without being asked for


@dataclass
class Job:
    """A run to be trained."""

    run: RunFolder
    trial: Mapping[str, Any]  # says which of the runs it is
    config: Callable[[], Path]  # makes its frozen config, when its turn comes
    deaths: int = 0


def train_all(
    jobs: Sequence[Job],
    config: Config,
    log: Path,
    ended: Callable[[Job, str], object],
    trust: Collection[str] = (),
) -> None:
    """Train the runs of jobs whose configs are like `config`; `ended` is told why a run failed, or nothing.

    Raises Stopped after a signal, when the runs in training have written their checkpoints.
    """
    waiting = deque(job for job in jobs if job.run.status() != "finished")
    if not waiting:
        return
    with Signals().caught() as signals:
        signals.at_once = False
        pool = Pool(min(len(waiting), workers(config)), log, devices(config))
        try:
            while waiting or pool.busy():
                for worker in pool.idle():
                    if waiting and not signals.asked:
                        job = waiting.popleft()
                        worker.train(job, _order(job, outward(config), trust))
                for job, answer in pool.answers(LOOK):
                    if answer is None or not answer.keys().isdisjoint(("stopped", "lost")):  # somebody stopped it alone
                        job.deaths += 1
                        answer = {"failed": (answer or {}).get("lost") or f"its process died, see {log}"}
                        if job.deaths <= RETRIES:
                            waiting.appendleft(job)
                            continue
                    ended(job, answer.get("failed", ""))
                if signals.asked:
                    raise Stopped(signals.asked)
        except BaseException:
            pool.stop()
            raise
        pool.close()


def _order(job: Job, typed: Sequence[str], trust: Collection[str]) -> dict[str, Any]:
    if job.run.path.exists() and not job.run.config.is_file():
        remove(job.run)  # it ended before it began
    order = {"config": str(job.config()), "run": str(job.run.path), "trial": dict(job.trial)}
    return {**order, "trust": list(trust), "typed": list(typed)}


def workers(config: Config) -> int:
    """How many runs are trained side by side: one for each GPU or core, if a run takes one."""
    most = min(os.cpu_count() or 1, MOST) // _each(config)
    return len(devices(config) or ()) or max(1, most)


def devices(config: Config) -> list[str] | None:
    """What each worker sees of the GPUs: as many as a run takes."""
    if config.tree.trainer.accelerator == "cpu" or not Path("/dev/nvidia0").exists():
        return None
    import torch

    count, each = torch.cuda.device_count(), _each(config)
    return [",".join(map(str, range(low, low + each))) for low in range(0, count - each + 1, each)] or None


def _each(config: Config) -> int:
    found = config.tree.trainer.devices
    return found if isinstance(found, int) and found > 0 else 1
