"""The locations of the shipped YAML files, the user's own, the runs and the downloads."""

import os
from pathlib import Path

# what nn itself writes into a run's folder
RUN_FILES = (
    "config.yaml",
    "words.txt",
    "environment.json",
    "metrics.csv",
    "summary.json",
    "error.txt",
    "shrink.json",
    "pruned",
)
PLOTS = "plots"
RUN_MARKER, CHECKPOINTS = ".nn-run", "checkpoints"

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """The shipped `conf` or `recipes`: inside the installed package, or beside it in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def start() -> Path:
    """The files that `nn init` copies; all end in .txt here, so that other tools ignore them."""
    return _PACKAGE / "start"


def own(name: str) -> Path:
    """The user's own `./conf` or `./recipes`, which need not exist."""
    return Path.cwd() / name


def runs_dir() -> Path:
    """The folder of runs: `$NN_RUNS`, else `./runs`."""
    return Path(os.environ.get("NN_RUNS") or "runs").absolute()


def cache_dir() -> Path:
    """The folder of downloads and cached keys: `$NN_CACHE`, else the user's cache folder."""
    if path := os.environ.get("NN_CACHE"):
        return Path(path).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nncli"


def shown(path: Path) -> str:
    """A path as one would type it from here; those of shipped files are relative to the package."""
    for root in (Path.cwd(), shipped("conf").parent):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return str(path)
