"""How much memory this process may still take."""

import os
from pathlib import Path
from typing import Literal

SHARE = 0.5  # of what is free that data may take unasked


def limit(gigabytes: float | Literal["auto"]) -> float:
    """Bytes that data may take in memory; what is larger stays in its file."""
    return SHARE * free() if gigabytes == "auto" else gigabytes * 1e9


def free() -> int:
    """Bytes that are free on this machine, or in the container it is in."""
    return min(_machine(), _container())


def _machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 if hasattr(os, "sysconf") else 4 << 30


def _container() -> int:
    """What the limit of the control group leaves; of no concern where there is none."""
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            return max(0, int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):  # "max" is no number
            continue
    return 1 << 62
