"""A stopwatch for a training loop: samples per second, the first step, the wait for data, the peak memory."""

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nncli.run.callbacks.step import StepCallback
from nncli.run.environment import peak_memory
from nncli.run.memory import give_back

WARM = 0.1  # fraction of the steps that are warmup and not counted


@dataclass(frozen=True)
class Timing:
    """The measurements of one training loop."""

    samples_per_s: float
    step_ms: float
    first_step_s: float  # from data in memory to the end of the first step
    waiting: float  # fraction of the time in which the loop waited for its next batch
    peak_mb: float  # peak memory of the process, or of the GPU, while it ran


class Meter:
    """Counts `steps` steps of `batch_size` samples; the first tenth is warmup."""

    def __init__(self, steps: int, batch_size: int, device: torch.device) -> None:
        self.steps, self.batch_size, self.device = steps, batch_size, device
        self.skip = max(1, round(WARM * steps))
        self.count = 0
        self.waited = 0.0
        self.mark = self.first = self.end = 0.0
        _forget_peak(device)
        self.began = time.perf_counter()

    def batches(self, loader: Any) -> Iterator[Any]:
        """The loader's batches; the time to get each is added up."""
        batches = iter(loader)
        while True:
            asked = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            self.waited += time.perf_counter() - asked
            yield batch

    def step(self) -> bool:
        """Called at the end of each step; returns whether it was the last."""
        self.count += 1
        if self.count in (1, self.skip, self.steps):
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            now = time.perf_counter()
            if self.count == 1:
                self.first = now - self.began
            if self.count == self.skip:
                self.mark, self.waited = now, 0.0
            self.end = now
        return self.count >= self.steps

    def timing(self) -> Timing:
        steps = self.count - self.skip
        seconds = self.end - self.mark
        return Timing(
            samples_per_s=steps * self.batch_size / seconds,
            step_ms=1e3 * seconds / steps,
            first_step_s=self.first,
            waiting=self.waited / seconds,
            peak_mb=_peak(self.device) / 2**20,
        )


class Clock(StepCallback):
    """Reports each optimizer step to the meter."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def on_step_end(self, trainer: Any, module: Any) -> None:
        self.meter.step()


class Metered:
    """Batches whose loading is timed."""

    def __init__(self, batches: Any, meter: Meter) -> None:
        self.batches, self.meter = batches, meter

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        return self.meter.batches(self.batches)


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        give_back()
        with suppress(OSError):  # some sandboxes do not have this file; the peak is then that of the whole process
            Path("/proc/self/clear_refs").write_text("5")  # resets the kernel's peak


def _peak(device: torch.device) -> float:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_memory()
