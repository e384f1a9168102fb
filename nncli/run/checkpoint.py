"""Checkpoints that are complete or absent: written atomically, ending in their own digest, free of code.

A file is torch's zip of tensors and plain values, followed by a trailer: 8 bytes of magic and the SHA-256 of
everything before them. The trailer commits with the file in one rename, so no second file can go missing.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import torch

from nncli.errors import CheckpointError, TrainingFailed
from nncli.paths import shown
from nncli.run.files import sync_folder

MAGIC = b"NNCKPT01"
VERSION = 3  # of what a checkpoint stores about its run, under `nncli`
TRAILER = len(MAGIC) + 32
CHUNK = 1 << 20


class _Digested:
    """A file that hashes what is written to it; torch writes its zip front to back."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


def save(state: dict[str, Any], path: Path) -> None:
    """Write beside the target, on its own filesystem, then rename over it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as f:
            digested = _Digested(f)
            torch.save(state, digested)  # pyright: ignore[reportArgumentType]  # torch asks for write and flush only
            f.write(MAGIC + digested.digest.digest())
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch wraps a failed write in a RuntimeError
        raise TrainingFailed(_why_unwritten(error, path)) from error
    finally:
        with suppress(OSError):  # if nothing can be written, nothing can be deleted
            temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _why_unwritten(error: Exception, path: Path) -> str:
    cause = error if isinstance(error, OSError) else error.__context__
    full = isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)
    why = "the disk is full" if full else str(cause or error).splitlines()[0]
    return f"the checkpoint {path} could not be written: {why}. Earlier ones are intact; free space, then nn resume."


def verify(path: Path) -> None:
    """Raise CheckpointError unless the file is exactly as it was written."""
    with open(path, "rb") as f:
        _verify(f, path)


def _verify(f: IO[bytes], path: Path) -> None:
    size = os.fstat(f.fileno()).st_size
    left = size - TRAILER
    if left <= 0:
        raise CheckpointError(f"{path} is truncated ({size} bytes).")
    digest = hashlib.sha256()
    while left:
        chunk = f.read(min(CHUNK, left))
        if not chunk:
            raise CheckpointError(f"{path} is truncated.")
        digest.update(chunk)
        left -= len(chunk)
    if f.read(TRAILER) != MAGIC + digest.digest():
        raise CheckpointError(f"{path} is corrupt: its content does not match its digest.")


def digest_of(path: Path) -> str:
    """The digest in which a checkpoint ends."""
    with path.open("rb") as f:
        f.seek(-TRAILER + len(MAGIC), os.SEEK_END)
        return f.read().hex()


def load(path: Path) -> dict[str, Any]:
    """The state in a checkpoint, verified first, then read without running any code in it."""
    try:
        with open(path, "rb") as f:
            _verify(f, path)
            f.seek(0)
            state = torch.load(f, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    except CheckpointError:
        raise
    except Exception as error:  # torch raises many types of errors for a file that is not a plain zip of tensors
        raise CheckpointError(f"{path} contains more than tensors and plain values: refused.") from error
    if not isinstance(state, dict) or not isinstance(state.get("state_dict"), dict):
        raise CheckpointError(f"{path} is not a checkpoint of a run.")
    try:
        _bring_up_to_date(state)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path} is not a checkpoint that nn wrote: {type(error).__name__}: {error}.") from error
    return state


def _bring_up_to_date(state: dict[str, Any]) -> None:
    """Convert the format of older versions to the current one."""
    saved = state.get("nncli")
    if not isinstance(saved, dict) or type(saved.get("version")) is not int:
        return
    if saved["version"] == 1:
        saved = {**saved, "version": 2, "config": {}, "due": saved.get("validation_due", False)}
    if saved["version"] == 2 and isinstance(saved.get("ranks"), list):
        recorder = state.get("callbacks", {}).get("Crew", {}).get("Recorder", {})
        accumulate = int(saved.get("config", {}).get("trainer.accumulate", 1))
        count = recorder.get("count", 0)
        for mine in saved["ranks"]:
            mine["means"] = {"loss": [mine.pop("loss_sum") * accumulate, count]} if count else {}
        saved = {**saved, "version": 3}
    state["nncli"] = saved


def weights(state: dict[str, Any]) -> dict[str, Any]:
    """The weights to evaluate: the averaged ones, if any."""
    return state["state_dict"] | (state.get("average") or state.get("ema", {}))  # ema: in older runs


def facts(path: Path | None) -> dict[str, Any]:
    """The facts that the data derived from its training part: vocabularies, names of classes and columns."""
    return load(path).get("facts", {}) if path else {}


def newest(folder: Path, announce: Callable[[str], None]) -> Path | None:
    """The newest intact checkpoint, or None if there is none; corrupt ones are announced and skipped."""
    broken = 0
    steps = sorted(folder.glob("step-*.ckpt"), reverse=True)
    for path in [folder / "last.ckpt", *steps, folder / "best.ckpt"]:
        if not path.is_file():
            continue
        try:
            verify(path)
        except (CheckpointError, OSError) as error:
            announce(f"{error} Trying an older one.")
            broken += 1
            continue
        return path
    if broken:
        config = shown(folder.parent / "config.yaml")
        raise CheckpointError(
            f"all {broken} checkpoints in {shown(folder)} are corrupt, so the run cannot be resumed; nothing was "
            f"changed. To start over in a new run: nn train recipe={config}"
        )
    return None


def point(target: Path, name: Path) -> None:
    """Make `name` the same file as `target`, in one step: a hard link if the filesystem has them, else a copy."""
    temporary = name.with_name(f".{name.name}.{os.getpid()}.tmp")
    try:
        try:
            os.link(target, temporary)
        except OSError:
            shutil.copyfile(target, temporary)
        os.replace(temporary, name)
    except OSError as error:
        raise TrainingFailed(_why_unwritten(error, name)) from error
    finally:
        with suppress(OSError):  # if nothing can be written, nothing can be deleted
            temporary.unlink(missing_ok=True)
