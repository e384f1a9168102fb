"""The memory available to this process, on the machine and within the limits of a container or a job."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

SHARE = 0.5  # of the free memory that data may take by default
HALF = 0.5  # of all memory, assumed to be free if unknown


def limit(gigabytes: float | Literal["auto"]) -> float:
    """Bytes that data may take in memory; larger data stays in its file."""
    return SHARE * free_memory() if gigabytes == "auto" else gigabytes * 1e9


def free_memory(root: Path = Path("/")) -> int:
    """Bytes that can be allocated without swapping and without being killed."""
    found = [*_of_machine(root), *_of_groups(root)]
    return max(0, min(found)) if found else int(HALF * physical())


def physical() -> int:
    """All memory of the machine."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # unknown on this system
        return 1 << 32


def _of_machine(root: Path) -> Iterator[int]:
    text = _read(root / "proc/meminfo")
    if told := re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE):
        yield int(told[1]) * 1024


def _of_groups(root: Path) -> Iterator[int]:
    """The memory left by the limits of this process's control groups and their parents."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, kinds, place = line.split(":", 2)
        if not kinds:  # version 2
            mount, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in kinds.split(","):
            mount = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        inside = Path(place.lstrip("/"))
        # in a container the path may be that of the host; its own group is then the mount itself
        for group in {mount / part for part in (inside, *inside.parents)} | {mount}:
            limit, used = _read(group / names[0]).strip(), _read(group / names[1]).strip()
            if limit.isdigit() and used.isdigit():
                kept = re.search(rf"^{names[2]} (\d+)", _read(group / "memory.stat"), re.MULTILINE)
                yield int(limit) - int(used) + (int(kept[1]) if kept else 0)  # the file cache is freed when needed


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
