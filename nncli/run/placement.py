"""The `trainer`, `loader` and `checkpoint` sections, and the devices that they select on this machine."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Interval

from nncli.contracts import Averaging

WANT_WHOLE = (torch.optim.LBFGS, torch.optim.Adafactor)  # they compute norms and products over whole weights
YEAR = 365 * 24 * 3600  # seconds


def trainer_settings(
    *,
    accelerator: Literal["auto", "cpu", "gpu", "mps"],
    devices: Annotated[int, Ge(1)] | Literal["auto"],
    num_nodes: Annotated[int, Ge(1)],
    strategy: Literal["auto", "ddp", "fsdp"],
    precision: Literal["auto", "32", "bf16", "16"],
    max_epochs: Annotated[int, Ge(1)],
    max_steps: Annotated[int, Ge(1)] | None,
    accumulate: Annotated[int, Ge(1)],
    grad_clip: Annotated[float, Gt(0)] | None,
    ema: Annotated[float, Interval(gt=0, lt=1)] | None,
    early_stopping: Annotated[int, Ge(1)] | None,
    compile: bool,
    channels_last: bool,
    deterministic: bool,
    threads: Annotated[int, Ge(1)] | None,
    log_every: Annotated[int, Ge(1)],
    val_every: Annotated[int, Ge(1)],
    limit_batches: Annotated[int, Ge(1)] | None,
    overfit_batches: Annotated[int, Ge(0)],
    timeout: Annotated[float, Interval(gt=0, le=YEAR)],
    # absent from the configs of older runs
    grad_clip_by: Literal["norm", "value"] = "norm",
    swa: Annotated[float, Interval(gt=0, lt=1)] | None = None,
    steps_per_call: Annotated[int, Ge(1)] | Literal["auto"] = "auto",
) -> dict[str, Any]:
    """The keys of `trainer`; the checker reads this signature."""
    return dict(locals())


def loader_settings(
    *,
    device: Literal["auto", "memory", "device"],
    workers: Annotated[int, Ge(0)] | Literal["auto"],
    sampling: Literal["natural", "balanced"],
) -> dict[str, Any]:
    """The keys of `loader`."""
    return dict(locals())


def checkpoint_settings(
    *,
    minutes: Annotated[float, Gt(0)] | None,
    every_n_steps: Annotated[int, Ge(1)] | None,
    keep: Annotated[int, Ge(0)],
) -> dict[str, Any]:
    """The keys of `checkpoint`."""
    return dict(locals())


@dataclass(frozen=True)
class Placement:
    """The devices of a run, with every `auto` resolved."""

    accelerator: Literal["cpu", "gpu", "mps"]
    devices: int
    nodes: int
    strategy: Literal["single", "ddp", "fsdp"]
    precision: str

    @property
    def world(self) -> int:
        return self.devices * self.nodes

    @property
    def device(self) -> torch.device:
        return torch.device("cuda" if self.accelerator == "gpu" else self.accelerator)

    def __str__(self) -> str:
        many = f" ×{self.world}" if self.world > 1 else ""
        return f"{self.accelerator}{many}, {self.precision}"


def cpu_does_bf16() -> bool:
    """Whether this processor has instructions for bf16; emulated, it is several times slower than fp32."""
    asked = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(asked and asked())


def place(section: dict[str, Any]) -> Placement:
    """Replace every `auto` by what this machine has."""
    accelerator = section["accelerator"]
    if accelerator == "auto":
        accelerator = "gpu" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    devices = section["devices"]
    if devices == "auto":
        devices = max(1, torch.cuda.device_count()) if accelerator == "gpu" else 1
    world = devices * section["num_nodes"]
    strategy = section["strategy"]
    if strategy != "fsdp" or world == 1:
        strategy = "ddp" if world > 1 else "single"
    precision = str(section["precision"])
    if precision == "auto":
        precision = _best_precision(accelerator)
    return Placement(accelerator, devices, section["num_nodes"], strategy, precision)


def _best_precision(accelerator: str) -> str:
    if accelerator == "gpu":
        return "bf16" if torch.cuda.is_bf16_supported() else "16"
    return "bf16" if accelerator == "cpu" and cpu_does_bf16() else "32"


def misfits(
    section: dict[str, Any], batch_size: int, *, optimizer: type = object, hosted: bool = False
) -> list[tuple[str, Any, str]]:
    """(key, value, what is allowed) for settings that are incompatible with this machine or with each other.

    `optimizer`: its class. `hosted`: the task is a LightningModule.
    """
    found: list[tuple[str, Any, str]] = []
    if section["accelerator"] == "gpu" and not torch.cuda.is_available():
        found.append(("trainer.accelerator", "gpu", "no usable GPU was found on this machine: choose cpu or auto"))
        return found
    if section["accelerator"] == "mps" and not torch.backends.mps.is_available():
        found.append(("trainer.accelerator", "mps", "no Apple GPU was found on this machine: choose cpu or auto"))
        return found
    where = place(section)
    have = {"gpu": torch.cuda.device_count(), "mps": 1, "cpu": os.cpu_count() or 1}[where.accelerator]
    if where.devices > have:
        what = "cores" if where.accelerator == "cpu" else "of them"
        found.append(("trainer.devices", where.devices, f"this machine has only {have} {what}"))
        return found
    if where.accelerator == "cpu" and where.precision == "16":
        found.append(("trainer.precision", "16", "fp16 needs a GPU: choose bf16 or 32 on a CPU"))
    asked = [key for key in ("ema", "swa") if section.get(key) is not None]
    if where.strategy == "fsdp":
        found += _unshardable(section, where, asked, optimizer, hosted)
    if issubclass(optimizer, Averaging):
        text = "the optimizer averages the weights itself: set regularization.{} to null"
        found += [(f"trainer.{key}", section[key], text.format(key)) for key in asked]
    elif len(asked) == 2:
        text = "only one average can be kept: set regularization.ema or regularization.swa to null"
        found.append(("trainer.swa", section["swa"], text))
    parts = where.world * section["accumulate"]
    if batch_size % parts:
        text = f"must be divisible by devices × nodes × trainer.accumulate = {parts}; the nearest is "
        found.append(("data.batch_size", batch_size, text + str(max(1, round(batch_size / parts)) * parts)))
    return found


def _unshardable(
    section: dict[str, Any], where: Placement, averages: list[str], optimizer: type, hosted: bool
) -> Iterator[tuple[str, Any, str]]:
    """Settings that are incompatible with fsdp."""
    text = "averaged weights cannot be used with fsdp: choose ddp, or null"
    yield from ((f"trainer.{key}", section[key], text) for key in averages)
    if hosted and where.accelerator != "gpu":
        yield "trainer.strategy", "fsdp", "sharding a LightningModule needs GPUs: choose ddp or auto"
    if hosted:
        return
    if where.accelerator == "mps":
        yield "trainer.strategy", "fsdp", "an Apple GPU cannot share a net out: choose cpu or auto"
    if issubclass(optimizer, Averaging):
        yield "trainer.strategy", "fsdp", "the optimizer averages the weights, which cannot be sharded: choose ddp"
    elif issubclass(optimizer, WANT_WHOLE):
        yield "trainer.strategy", "fsdp", f"{optimizer.__name__} needs whole weights, not shards: choose ddp"
    if section["channels_last"]:
        yield "trainer.channels_last", True, "fsdp shares weights out row by row: choose ddp, or false"
