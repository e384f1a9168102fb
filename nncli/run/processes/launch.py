"""One process per device on this machine: started, watched and ended together by a parent that does not train.

The ranks read only the frozen config of the run's folder. Each has the read end of a pipe whose write end only the
parent has, so they end when the parent does, in whatever way.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from nncli.errors import RankLost, Stopped, TrainingFailed
from nncli.run.folder import RunFolder
from nncli.run.placement import Placement
from nncli.run.processes.python import python
from nncli.run.processes.signals import Signals, held_back
from nncli.run.screen import Screen
from nncli.stalls import Stalls

Rank = subprocess.Popen[bytes]
GRACE = 10.0  # seconds that the other ranks have to end by themselves when one is lost


def is_rank() -> bool:
    """Whether a launcher (ours, torchrun, SLURM) has started this process as one of several."""
    return "LOCAL_RANK" in os.environ or int(os.environ.get("SLURM_NTASKS", "1")) > 1


def start(
    run: RunFolder,
    where: Placement,
    screen: Screen,
    signals: Signals,
    resume: Path | None,
    trust: Collection[str],
    patience: float,
) -> dict[str, Any]:
    """Train with a rank on every device; returns their summary.

    A lost rank ends them all within GRACE; one that is suspended, or does not stop when asked to, after `patience`.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(where.world),
        "NN_TRUST": ",".join(trust),
    }
    words = [str(run.path), screen.mode, str(resume or "")]
    signals.at_once = False
    watch = Watch([], signals, patience)
    try:
        for i in range(where.devices):
            with held_back():
                rank = subprocess.Popen(
                    [*python("nncli.run.processes.rank"), *words],
                    env=os.environ | shared | {"LOCAL_RANK": str(i), "RANK": str(i)},
                    stdin=subprocess.PIPE,
                    start_new_session=True,  # Ctrl-C reaches only the parent, which passes it on once
                )
            watch.ranks.append(rank)
        watch.wait()
    finally:
        watch.end()
    return outcome(run, watch, signals)


class Watch:
    """The ranks while they train, and how they ended."""

    def __init__(self, ranks: list[Rank], signals: Signals, patience: float) -> None:
        self.ranks, self.signals, self.patience = ranks, signals, patience
        self.stalls = Stalls(patience)
        self.stopped: list[int] = []  # ranks that were suspended for longer than `patience`, or when one was lost
        self.ended: list[int] = []  # ranks that had to be killed

    def wait(self) -> None:
        """Wait until all have ended, one is lost or one is suspended too long; passes a signal on once."""
        passed, deadline, look = False, float("inf"), 0.0
        while any(rank.poll() is None for rank in self.ranks) and time.monotonic() < deadline:
            if self.signals.asked and not passed:
                for rank in self.ranks:
                    rank.send_signal(self.signals.asked)
                passed, deadline = True, min(deadline, time.monotonic() + self.patience)
            if any(rank.poll() not in (None, 0) for rank in self.ranks):
                deadline = min(deadline, time.monotonic() + GRACE)
            if time.monotonic() > look:
                look = time.monotonic() + 1
                if self.stalls.over([rank.pid for rank in self.ranks if rank.poll() is None]):
                    break
            time.sleep(0.05)
        self.stopped = [i for i, rank in enumerate(self.ranks) if rank.pid in self.stalls.seconds]

    def end(self) -> None:
        """Kill those that are left, with their workers: a suspended one would never notice."""
        for i, rank in enumerate(self.ranks):
            if rank.poll() is None:
                self.ended.append(i)
                with suppress(OSError):
                    os.killpg(rank.pid, signal.SIGKILL) if hasattr(os, "killpg") else rank.kill()
            rank.wait()

    @property
    def codes(self) -> list[int]:
        return [rank.wait() for rank in self.ranks]

    def lost(self) -> str:
        """Which ranks were lost, and how."""
        text = f"was stopped (SIGSTOP) and did not continue; trainer.timeout is {self.patience:g} s"
        return "; ".join(
            f"rank {i} {text if i in self.stopped else _ended(code)}" for i, code in enumerate(self.codes) if code
        )


def _ended(code: int) -> str:
    return f"ended by signal {-code}" if code < 0 else f"ended with code {code}"


def outcome(run: RunFolder, watch: Watch, signals: Signals) -> dict[str, Any]:
    """The summary of ranks that have all ended; raises Stopped or TrainingFailed if they did not finish."""
    summary, codes = run.read(run.summary), watch.codes
    if all(code == 0 for code in codes):
        return summary
    status = str(summary.get("status", ""))
    left = [code for i, code in enumerate(codes) if i not in watch.ended]
    if signals.asked and all(code in (0, 128 + signals.asked) for code in left):
        if status in ("", "running"):
            run.write(run.summary, summary | {"status": "stopped"})
        raise Stopped(signals.asked)
    explained = status.startswith("failed") and min(codes) >= 0  # a killed rank causes the errors of the others
    why = status.removeprefix("failed: ") if explained else watch.lost()
    run.write(run.summary, summary | {"status": f"failed: {why}"})
    raise (TrainingFailed if explained else RankLost)(f"{why}. The run can be resumed: nn resume {run.name}")
