"""Processes that were suspended (SIGSTOP): they never end, so waiting for them would take forever."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 300.0  # seconds, if no config sets them
EACH = 2.0  # seconds that one check counts at most, since time in which this process itself is suspended does not count


class Stalls:
    """How long each of some processes has been suspended, in time during which this one ran."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience, self.checked = patience, time.monotonic()
        self.seconds: dict[int, float] = {}

    def over(self, pids: Sequence[int]) -> list[int]:
        """The processes suspended for longer than `patience`; to be called about once a second."""
        now = time.monotonic()
        passed, self.checked = min(now - self.checked, EACH), now
        self.seconds = {pid: self.seconds.get(pid, 0.0) + passed for pid in stopped(pids)}
        return [pid for pid, seconds in self.seconds.items() if seconds >= self.patience]


def stopped(pids: Sequence[int]) -> list[int]:
    """Which of these processes are suspended now; none on systems without this state."""
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
