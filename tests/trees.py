"""Folders as they were and are: what a command left untouched."""

import os
from pathlib import Path

from nncli.run import folder
from nncli.run.folder import RunFolder


def tree(root: Path) -> dict[str, str | bytes]:
    """Everything below a folder by its path: what files hold, where links lead, what else there is."""
    found: dict[str, str | bytes] = {}
    for here, below, names in os.walk(root):
        for name in (*below, *names):
            path = Path(here, name)
            if path.is_symlink():
                found[str(path)] = f"link to {os.readlink(path)}"
            else:
                found[str(path)] = "folder" if path.is_dir() else path.read_bytes() if path.is_file() else "special"
    return found


def made_run(path: Path, *, started: float = 1.0, marked: bool = True) -> RunFolder:
    """A run as nn leaves it, but for what its files hold; unmarked as versions did that had no marker."""
    run = folder.make("x", str(path))
    run.words.write_text("trainer=fast\n")
    run.write(run.environment, {"started_at": started, "versions": {"nncli": "0.1.0"}})
    run.config.write_text("name: x\n")
    run.metrics.write_text("step\n")
    run.write(run.summary, {"status": "finished"})
    for name in ("best.ckpt", "last.ckpt", "step-000000003.ckpt", ".last.ckpt.77.tmp", ".new-000000009.ckpt"):
        (run.checkpoints / name).write_bytes(b"weights")
    if not marked:
        run.marker.unlink()
    return run
