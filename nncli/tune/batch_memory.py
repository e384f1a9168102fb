"""Memory and speed of a training step at one batch size after another, in a process that may run out of memory.

`python -m nncli.tune.batch_memory CONFIG` is that process: it reads lines "size steps", and answers each with a
line of JSON. It ends when its input is closed, and therefore with its parent, however that ends.
"""

import gc
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

import torch

from nncli.bench.meter import Clock, Meter
from nncli.config.compose import Config, freeze, load_frozen
from nncli.data.files.memory import free_memory
from nncli.errors import NnError
from nncli.run.assemble import Parts, assemble
from nncli.run.processes.python import python
from nncli.run.quiet import quiet_libraries
from nncli.tune.trial import trial

OUT_OF_MEMORY = re.compile(r"alloc|out of memory|not enough memory", re.IGNORECASE)


@dataclass(frozen=True)
class Step:
    """What one size takes: bytes of one device, and samples per second of all devices together."""

    memory: int
    samples_per_s: float


class Prober:
    """The parent's side: asks what a size takes; the answer is None if it does not fit."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self.process, self.log = process, log
        self.lost = ""
        try:
            self.free = int(self._answer()["free"])  # bytes for one device's process, or on its GPU
        except EOFError:
            lines = self.log.read_text(errors="replace").strip().splitlines() or [f"code {self.process.wait()}"]
            raise NnError(f"the measuring process ended before its first step: {lines[-1]}") from None

    def __call__(self, size: int, steps: int) -> Step | None:
        assert self.process.stdin
        try:
            self.process.stdin.write(f"{size} {steps}\n")
            self.process.stdin.flush()
            answer = self._answer()
        except (BrokenPipeError, EOFError):
            code = self.process.wait()
            self.lost = f"signal {-code}" if code < 0 else f"code {code}"
            return None
        return Step(**answer) if answer else None

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise EOFError
        answer = json.loads(line)
        if "error" in answer:
            raise NnError(answer["error"])
        return answer


@contextmanager
def prober(config: Config) -> Iterator[Prober]:
    """A process that measures this config, for as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder:
        file, log = Path(folder) / "config.yaml", Path(folder) / "log.txt"
        file.write_text(freeze(config))
        with log.open("w") as errors:
            process = subprocess.Popen(
                [*python("nncli.tune.batch_memory"), str(file)],
                env=os.environ | {"NN_TRUST": ",".join(config.trust)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl-C reaches only the parent, which ends this process
            )
            try:
                yield Prober(process, log)
            finally:
                process.kill()
                process.communicate()


def measure(config: Config, data: Any, size: int, steps: int) -> Step:
    """Run some steps with one device's share of batches of this size, with new weights."""
    data.batch_size = size
    parts = assemble(config, data=data)
    world, device = parts.where.world, parts.where.device
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    meter = Meter(steps, size, device)
    trial(config, parts, steps, Clock(meter), share=True)
    timing = meter.timing()
    return Step(int(timing.peak_mb * 2**20) + (gradients(parts) if world > 1 else 0), timing.samples_per_s)


def gradients(parts: Parts) -> int:
    """Bytes of the buckets in which devices exchange gradients, a second copy of them."""
    return sum(p.nbytes for p in parts.task.parameters() if p.requires_grad)


def serve(file: Path, requests: TextIO, answers: TextIO) -> None:
    """Answer requests until the input is closed."""
    config = load_frozen(file)
    with quiet_libraries():
        parts = assemble(config)
    free = _free(parts)
    _bound(parts, free)
    print(json.dumps({"free": free}), file=answers, flush=True)
    data = parts.data
    del parts
    for line in requests:
        size, steps = map(int, line.split())
        print(json.dumps(_tried(config, data, size, steps)), file=answers, flush=True)


def _tried(config: Config, data: Any, size: int, steps: int) -> dict[str, Any]:
    try:
        return vars(measure(config, data, size, steps))
    except (MemoryError, torch.OutOfMemoryError):
        return {}
    except NnError as error:
        return {"error": str(error)}
    except Exception as error:  # the user's own net may raise anything
        if isinstance(error, RuntimeError | OSError) and OUT_OF_MEMORY.search(str(error)):
            return {}
        return {"error": f"a training step with data.batch_size={size} failed: {type(error).__name__}: {error}"}


def _free(parts: Parts) -> int:
    """The memory that this process, one per device, can have."""
    if parts.where.accelerator == "gpu":
        return torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved()
    share = parts.where.devices  # each is a process in the same memory
    return int((free_memory() + share * _status("VmRSS")) / share)


def _bound(parts: Parts, free: int) -> None:
    """Make allocations fail before the kernel kills a process; if it does, then this one."""
    if parts.where.accelerator == "gpu" or sys.platform != "linux":
        return
    import resource

    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    if (taken := _status("VmData")) and (resident := _status("VmRSS")):
        with suppress(ValueError, OSError):  # a lower limit is already set
            limit = taken + max(0, free - resident)
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _status(name: str) -> int:
    try:
        match = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        match = None
    return int(match[1]) * 1024 if match else 0


if __name__ == "__main__":
    lines = cast(TextIO, os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)  # other output must not come between the answers
    try:
        serve(Path(sys.argv[1]), sys.stdin, lines)
    except NnError as error:
        print(json.dumps({"error": str(error)}), file=lines, flush=True)
