"""One process a device on this machine: started, watched and ended together by a parent that trains nothing.

The ranks read the frozen config of the run's folder, and nothing else. Each holds the read end of a pipe whose
write end only the parent has: when the parent dies, however, they end too.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from nncli.errors import Stopped, TrainingFailed
from nncli.run.folder import RunFolder
from nncli.run.placement import Placement
from nncli.run.processes.signals import Signals, held_back
from nncli.run.screen import Screen
from nncli.stalls import Stalls

Rank = subprocess.Popen[bytes]
GRACE = 10.0  # seconds that the other ranks get to end by themselves when one is lost


def is_rank() -> bool:
    """Whether a launcher (ours, torchrun, SLURM) has made this process one of several."""
    return "LOCAL_RANK" in os.environ or int(os.environ.get("SLURM_NTASKS", "1")) > 1


def python(module: str) -> list[str]:
    """The command of a module of ours as another process. Files of this folder hide no packages there, as here."""
    same = sys.path[0] in ("", os.getcwd())  # in `python -m nncli` they do
    return [sys.executable, *([] if same else ["-P"]), "-m", module]


def start(
    run: RunFolder,
    where: Placement,
    screen: Screen,
    signals: Signals,
    resume: Path | None,
    trust: Collection[str],
    patience: float,
) -> dict[str, Any]:
    """Train with a rank on every device; their summary.

    A lost rank ends them all within GRACE; one that is stopped, or does not stop when asked to, after `patience`.
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
                    start_new_session=True,  # a Ctrl-C reaches the parent alone, which passes it on once
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
        self.stopped: list[int] = []  # ranks that were stopped for longer than the patience lasts, or when one was lost
        self.ended: list[int] = []  # ranks that had to be killed

    def wait(self) -> None:
        """Until all have ended; passes a signal on once, and stops waiting when one is lost or is stopped too long."""
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
        """Kill those that are left, with the workers they started: one that is stopped would never notice."""
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
        said = f"was stopped (SIGSTOP) and did not continue; trainer.timeout is {self.patience:g} s"
        return "; ".join(
            f"rank {i} {said if i in self.stopped else _ended(code)}" for i, code in enumerate(self.codes) if code
        )


def _ended(code: int) -> str:
    return f"ended by signal {-code}" if code < 0 else f"ended with code {code}"


def outcome(run: RunFolder, watch: Watch, signals: Signals) -> dict[str, Any]:
    """The summary of ranks that have all ended; Stopped or TrainingFailed where they did not come to their end."""
    summary, codes = run.read(run.summary), watch.codes
    if all(code == 0 for code in codes):
        return summary
    said = str(summary.get("status", ""))
    left = [code for i, code in enumerate(codes) if i not in watch.ended]
    if signals.asked and all(code in (0, 128 + signals.asked) for code in left):
        if said in ("", "running"):
            run.write(run.summary, summary | {"status": "stopped"})
        raise Stopped(signals.asked)
    told = said.startswith("failed") and min(codes) >= 0  # a killed rank is the reason of what the others then met
    why = said.removeprefix("failed: ") if told else watch.lost()
    run.write(run.summary, summary | {"status": f"failed: {why}"})
    raise TrainingFailed(f"{why}. The run can be resumed: nn resume {run.name}")
