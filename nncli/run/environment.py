"""The machine, the versions and the commit of a run."""

import os
import platform
import re
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("nncli", "torch", "lightning", "hydra-core", "omegaconf", "numpy")


def environment(seed: int, placement: dict[str, Any]) -> dict[str, Any]:
    """The environment of a run, written once, when its folder is created."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "started_at": time.time(),
        "seed": seed,
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "git": _git(),
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "gpus": gpus,
        **placement,
    }


def _git() -> dict[str, Any] | None:
    """The commit of the current folder, and whether it has uncommitted changes."""

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=5, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    return None if commit is None else {"commit": commit, "dirty": bool(ask("status", "--porcelain"))}


def peak_memory() -> int:
    """The peak of main memory that this process has used, in bytes; 0 where the system does not say.

    On Linux, the kernel's own file is read: `getrusage` also counts the memory of the process that started this one.
    """
    if sys.platform == "linux":
        match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return int(match[1]) * 1024 if match else 0
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def peak_memory_mb() -> float:
    """The peak memory of this process: on the GPU if there is one, else in main memory."""
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else peak_memory()
    return round(peak / 2**20, 1)
