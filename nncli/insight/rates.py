"""The learning rate over a run, as set by the schedule: in characters and as a picture."""

import inspect
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.optim.lr_scheduler import ReduceLROnPlateau

from nncli.config.build import build
from nncli.config.compose import Config
from nncli.data.files.progress import shown
from nncli.errors import NnError
from nncli.insight.pictures import BARS, plot

STEPS = 1000  # of a run whose length depends on its data
SIZE = (900, 300)  # pixels of the picture's plot


def steps_of(config: Config, asked: int | None) -> int:
    """The number of steps to draw: the one asked for, else trainer.max_steps, else a thousand."""
    return asked or config.tree.trainer.max_steps or STEPS


def rates(config: Config, steps: int) -> list[float]:
    """The rate of every step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=float(config.tree.optimizer.lr))
    make: Any = build(config.tree.scheduler, config=config)
    arguments = {"total_steps": steps} if "total_steps" in inspect.signature(make).parameters else {}
    schedule = make(optimizer, **arguments)
    if isinstance(schedule, ReduceLROnPlateau):
        raise NnError("scheduler=plateau has no curve, since it depends on the metric; choose another scheduler")
    rates = []
    for _ in shown(((1, None) for _ in range(steps)), steps, "  steps"):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return rates


def chart(rates: Sequence[float], width: int, height: int = 10) -> str:
    """The rates as columns of characters, the highest at the top, with the axis on the left."""
    bounds = np.linspace(0, len(rates), width + 1)
    columns = np.array([np.mean(rates[int(a) : max(int(b), int(a) + 1)]) for a, b in pairwise(bounds)])
    top = max(rates) or 1.0
    eighths = np.round(columns / top * height * 8).astype(int)
    lines = []
    for row in reversed(range(height)):
        filled = np.clip(eighths - row * 8, 0, 8)
        label = f"{top:.3g}" if row == height - 1 else "0" if row == 0 else ""
        lines.append(f"{label:>9} │" + "".join(" " if n == 0 else BARS[n - 1] for n in filled).rstrip())
    lines.append(f"{'':>9} └" + "─" * width)
    return "\n".join([*lines, f"{'step':>9}  0{len(rates):>{width - 1}}"])


def picture(rates: Sequence[float]) -> Image.Image:
    """The rates as a line."""
    wide = SIZE[0]
    drawn = np.interp(np.linspace(0, len(rates) - 1, max(wide, len(rates))), np.arange(len(rates)), rates)
    return plot(drawn[:, None], [f"learning rate over {len(rates)} steps"], [len(drawn)], SIZE)
