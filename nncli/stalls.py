"""Processes that somebody or something stopped (SIGSTOP): they never end, and whoever waits for them waits for ever."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 300.0  # seconds, where no config says how many
EACH = 2.0  # seconds that one look counts at most: while this process itself is stopped, no time passes


class Stalls:
    """How long each of some processes has been stopped, in time in which this one ran."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience, self.looked = patience, time.monotonic()
        self.seconds: dict[int, float] = {}

    def over(self, pids: Sequence[int]) -> list[int]:
        """Those that were stopped for longer than the patience lasts; to be asked about once a second."""
        now = time.monotonic()
        passed, self.looked = min(now - self.looked, EACH), now
        self.seconds = {pid: self.seconds.get(pid, 0.0) + passed for pid in stopped(pids)}
        return [pid for pid, seconds in self.seconds.items() if seconds >= self.patience]


def stopped(pids: Sequence[int]) -> list[int]:
    """Which of these processes are stopped now; none where the system knows no such state."""
    if sys.platform == "linux":
        return [pid for pid in pids if _state(pid) == "T"]
    if sys.platform == "win32" or not pids:
        return []
    command = ["ps", "-o", "pid=,state=", "-p", ",".join(map(str, pids))]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")
    return [int(fields[0]) for line in lines if len(fields := line.split()) == 2 and fields[1].startswith("T")]


def _state(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:  # it has ended
        return ""
    return text.rpartition(")")[2].split()[0]
