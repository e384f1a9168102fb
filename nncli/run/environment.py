"""The machine, the versions and the commit of a run."""

import os
import platform
import subprocess
import sys
import time
from importlib import metadata
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


def peak_memory_mb() -> float:
    """The peak memory of this process: on the GPU if there is one, else in main memory."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    if sys.platform == "win32":
        return 0.0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
