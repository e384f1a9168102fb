"""How fast a recipe trains with nn, compared with loops that do less: in one process, in turn, as ratios."""

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from nncli.bench.meter import Clock, Meter, Metered, Timing
from nncli.config.compose import Config
from nncli.config.hosting import refuse_hosted
from nncli.run.assemble import Parts, assemble, place_data
from nncli.run.folder import make
from nncli.run.learner import Move, better
from nncli.run.memory import keep_freed
from nncli.run.precision import autocast
from nncli.run.processes.signals import Signals
from nncli.run.screen import Screen
from nncli.run.train import train
from nncli.terminal import Terminal

READY = 8  # batches that the bare loop repeats
Contender = Callable[[Config, Any, int], Timing]


def compete(
    config: Config, data: Any, contenders: dict[str, Contender], steps: int, rounds: int
) -> dict[str, list[Timing]]:
    """Each contender's timings over some rounds in which all take turns."""
    keep_freed()  # as nn does; for all, since it cannot be undone
    timings: dict[str, list[Timing]] = {name: [] for name in contenders}
    turns = [(name, contender) for _ in range(rounds) for name, contender in contenders.items()]
    for name, contender in track(turns, "  timing", console=Terminal(stderr=True), transient=True):
        timings[name].append(contender(config, data, steps))
    return timings


def medians(results: dict[str, list[Timing]]) -> dict[str, dict[str, float]]:
    """The median of each figure; `nn_times` is the median over rounds of the speed of nn relative to this loop."""
    return {
        name: {key: statistics.median(asdict(timing)[key] for timing in timings) for key in asdict(timings[0])}
        | {"nn_times": statistics.median(_quotients(results["nn"], timings))}
        for name, timings in results.items()
    }


def _quotients(some: list[Timing], others: list[Timing]) -> list[float]:
    return [a.samples_per_s / b.samples_per_s for a, b in zip(some, others, strict=True)]


def bare(config: Config, data: Any, steps: int) -> Timing:
    """The step alone, in the run's precision, on a few batches that are already on the device."""
    parts, device, meter = begin(config, data, steps)
    some = [[t.to(device) for t in batch] for _, batch in zip(range(READY), data.train_dataloader(), strict=False)]

    def ready() -> Iterator[list[Tensor]]:
        while True:
            yield from some

    return train_by_hand(parts, ready(), meter, device, parts.where.precision)


def by_hand(config: Config, data: Any, steps: int) -> Timing:
    """An efficient hand-written loop: whole batches by index, the run's precision, no logging."""
    parts, device, meter = begin(config, data, steps)
    batches = meter.batches(forever(data.train_dataloader()))
    return train_by_hand(parts, batches, meter, device, parts.where.precision)


def plain(config: Config, data: Any, steps: int) -> Timing:
    """The loop of most tutorials: a DataLoader that fetches single samples, fp32, no logging."""
    parts, device, meter = begin(config, data, steps, plain=True)
    return train_by_hand(parts, meter.batches(forever(one_by_one(data))), meter, device, "32")


def by_nn(config: Config, data: Any, steps: int) -> Timing:
    """`nn train`: Lightning's loop, metrics.csv, checkpoints and the progress bar."""
    parts, _, meter = begin(config, data, steps)
    train_dataloader = data.train_dataloader
    data.train_dataloader = lambda: Metered(train_dataloader(), meter)
    screen = Screen("bar")
    try:
        with open(os.devnull, "w") as nowhere, tempfile.TemporaryDirectory() as folder:
            screen.console = Terminal(file=nowhere, force_terminal=True)
            train(config, make("bench", str(Path(folder) / "run")), parts, screen, Signals(), None, [Clock(meter)])
    finally:
        del data.train_dataloader
    return meter.timing()


CONTENDERS: dict[str, Contender] = {"bare": bare, "plain": plain, "by hand": by_hand, "nn": by_nn}


def begin(config: Config, data: Any, steps: int, *, plain: bool = False) -> tuple[Parts, Any, Meter]:
    """New weights on the device, in the run's memory format and compiled unless `plain`, and a running meter."""
    refuse_hosted(config, "nn bench")
    parts = assemble(config, data=data)
    device = parts.where.device
    place_data(config, parts, device=device)
    parts.task.to(device)
    for turn in () if plain else parts.task.turns():
        if parts.trainer["channels_last"]:
            turn.net.to(memory_format=torch.channels_last)
        if parts.trainer["compile"]:
            turn.net.compile()
    return parts, device, Meter(steps, data.batch_size, device)


def train_by_hand(parts: Parts, batches: Iterator[Any], meter: Meter, device: torch.device, precision: str) -> Timing:
    task = parts.task.train()
    moves = [Move(turn, meter.steps, better(task)) for turn in task.turns()]
    clip = parts.trainer["grad_clip"]
    for batch in batches:
        x, y = (t.to(device, non_blocking=True) for t in batch)
        for move in moves:
            if (meter.count + 1) % move.turn.every:
                continue
            with autocast(device, precision):
                loss = move.turn.loss((x, y))["loss"]
            move.optimizer.zero_grad()
            # with several turns, each computes the gradients of its own weights only, as in nn
            loss.backward(inputs=[w for w in move.weights if w.requires_grad] if len(moves) > 1 else None)
            if clip:
                nn.utils.clip_grad_norm_(move.weights, clip)
            move.optimizer.step()
            if move.schedule is not None and not move.follows_metric:
                move.schedule.step()
        if meter.step():
            break
    return meter.timing()


def forever(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def one_by_one(data: Any) -> DataLoader[tuple[Tensor, Tensor]]:
    """The training part, fetched sample by sample; texts are padded to the longest of a batch."""
    rows = data.parts["train"]
    collate = None if rows.lengths is None else _padded
    return DataLoader(Samples(rows), data.batch_size, shuffle=True, drop_last=True, collate_fn=collate)


def _padded(samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    x, y = ([sample[at] for sample in samples] for at in (0, 1))
    return nn.utils.rnn.pad_sequence(x, batch_first=True), torch.stack(y)


class Samples(Dataset[tuple[Tensor, Tensor]]):
    """A part as a Dataset of single samples."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x, y = self.rows.span(index, index + 1)
        return x[0], y[0]
