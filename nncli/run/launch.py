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
from pathlib import Path
from typing import Any

from nncli.errors import Stopped, TrainingFailed
from nncli.run.folder import RunFolder
from nncli.run.screen import Screen
from nncli.run.signals import Signals
from nncli.run.trainer import Placement

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
) -> dict[str, Any]:
    """Train with a rank on every device; their summary. A lost rank ends them all within GRACE."""
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
    ranks = [
        subprocess.Popen(
            [*python("nncli.run.rank"), *words],
            env=os.environ | shared | {"LOCAL_RANK": str(i), "RANK": str(i)},
            stdin=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C reaches the parent alone, which passes it on once
        )
        for i in range(where.devices)
    ]
    signals.at_once = False
    try:
        codes = _wait(ranks, signals)
    finally:
        for rank in ranks:
            if rank.poll() is None:
                rank.kill()
            rank.wait()
    return _outcome(run, codes, signals)


def _wait(ranks: list[subprocess.Popen[bytes]], signals: Signals) -> list[int]:
    """Until all have ended; passes a signal on once, and stops waiting when one is lost."""
    passed, deadline = False, None
    while any(rank.poll() is None for rank in ranks):
        if signals.asked and not passed:
            for rank in ranks:
                rank.send_signal(signals.asked)
            passed = True
        lost = any(rank.poll() not in (None, 0) for rank in ranks)
        if lost and deadline is None:
            deadline = time.monotonic() + GRACE
        if deadline is not None and time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return [rank.poll() if rank.poll() is not None else -signal.SIGKILL for rank in ranks]  # type: ignore[misc]


def _outcome(run: RunFolder, codes: list[int], signals: Signals) -> dict[str, Any]:
    summary = run.read(run.summary)
    if all(code == 0 for code in codes):
        return summary
    if signals.asked and all(code == 128 + signals.asked for code in codes):
        raise Stopped(signals.asked)
    said = str(summary.get("status", ""))
    told = said.startswith("failed") and min(codes) >= 0  # a killed rank is the reason of what the others then met
    why = said.removeprefix("failed: ") if told else _lost(codes)
    run.write(run.summary, summary | {"status": f"failed: {why}"})
    raise TrainingFailed(f"{why}. The run can be resumed: nn resume {run.name}")


def _lost(codes: list[int]) -> str:
    worst = [
        f"rank {i} ended by signal {-c}" if c < 0 else f"rank {i} ended with code {c}" for i, c in enumerate(codes)
    ]
    return "; ".join(text for text, code in zip(worst, codes, strict=True) if code)
