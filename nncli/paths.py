"""Where things lie: the shipped YAML, the user's own, the runs, the downloads."""

import os
from pathlib import Path

# what nn itself writes into a run's folder
RUN_FILES = ("config.yaml", "words.txt", "environment.json", "metrics.csv", "summary.json", "error.txt")
RUN_MARKER, CHECKPOINTS = ".nn-run", "checkpoints"

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """`conf` or `recipes` as shipped: inside the installed package, or beside it in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def start() -> Path:
    """The files that `nn init` copies; each ends in .txt here, so that no tool takes them for its own."""
    return _PACKAGE / "start"


def own(name: str) -> Path:
    """The user's own `./conf` or `./recipes`; it need not exist."""
    return Path.cwd() / name


def runs_dir() -> Path:
    """Where runs are kept: `$NN_RUNS`, else `./runs`."""
    return Path(os.environ.get("NN_RUNS") or "runs").absolute()


def cache_dir() -> Path:
    """Where downloads and cached keys are kept: `$NN_CACHE`, else the user's cache folder."""
    if given := os.environ.get("NN_CACHE"):
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nncli"


def shown(path: Path) -> str:
    """A path as a person would type it from here; shipped files are named without the package's own folder."""
    for root in (Path.cwd(), shipped("conf").parent):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return str(path)
