"""What `nn` costs beside a loop written by hand: the same modules, the same batches, in one process, in turn.

    python tests/bench.py [threads]

Prints the median ratio of five interleaved pairs for a tiny net (digits, 30 epochs) and for a convolutional net on
MNIST-sized pictures (one epoch of 60,000), fp32 on the CPU, with metrics.csv, checkpoints and the progress bar on.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from rich.console import Console
from torch import nn

from nncli.config.compose import Config, compose
from nncli.data.rows import InMemory
from nncli.run.assemble import Parts, assemble, cut, require
from nncli.run.folder import make
from nncli.run.screen import Screen
from nncli.run.signals import Signals
from nncli.run.train import train

WORDS = ["trainer.accelerator=cpu", "trainer.precision=32", "regularization=none", "test=false"]


def tiny() -> tuple[Config, Parts]:
    """digits_mlp: 30 epochs of 39 steps."""
    config = compose(["recipe=digits_mlp", *WORDS])
    require(config)
    return config, assemble(config)


def convolutional() -> tuple[Config, Parts]:
    """Two convolutions of 32 and 64 channels on pictures of 28x28, batches of 128."""
    config = compose(["recipe=digits_mlp", *WORDS, "data.batch_size=128", "trainer.max_epochs=1"])
    parts = assemble(config)
    parts.task.net = nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(1600, 128), nn.ReLU(), nn.Linear(128, 10)),
    )
    x, y = torch.randint(0, 256, (62_000, 1, 28, 28), dtype=torch.uint8), torch.randint(0, 10, (62_000,))
    parts.data.parts = {"train": InMemory(x[:60_000], y[:60_000]), "val": InMemory(x[60_000:], y[60_000:])}
    parts.task.transform.standardize.__init__([1, 28, 28], "zscore")
    parts.task.fit_statistics(parts.data.parts["train"])
    return config, parts


def by_hand(config: Config, parts: Parts) -> float:
    """Seconds of the training loop as one would write it, judged on the validation part after each epoch."""
    task, data = parts.task, parts.data
    epochs = parts.trainer["max_epochs"]
    cut(config, parts)
    optimizer = task.optimizer(task.net.parameters())
    schedule = task.scheduler(optimizer, total_steps=epochs * len(data.train_dataloader()))
    began = time.perf_counter()
    for _ in range(epochs):
        task.train()
        for x, y in data.train_dataloader():
            loss = task.loss(task(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        task.eval()
        with torch.no_grad():
            right = sum((task(x).argmax(1) == y).sum() for x, y in data.val_dataloader())
        float(right)
    return time.perf_counter() - began


def by_nn(config: Config, parts: Parts) -> float:
    """Seconds that Lightning's fit takes under nn, everything on."""
    seconds = 0.0
    real = Trainer.fit

    def timed(*args: Any, **kwargs: Any) -> None:
        nonlocal seconds
        began = time.perf_counter()
        real(*args, **kwargs)
        seconds = time.perf_counter() - began

    Trainer.fit = timed
    screen = Screen("bar")
    screen.console = Console(file=open("/dev/null", "w"), force_terminal=True)  # noqa: SIM115
    with tempfile.TemporaryDirectory() as folder:
        train(config, make("bench", str(Path(folder) / "run")), parts, screen, Signals(), None)
    Trainer.fit = real
    return seconds


def compare(name: str, built: Callable[[], tuple[Config, Parts]]) -> None:
    ratios, steps = [], 0
    for _ in range(5):
        config, parts = built()
        hand = by_hand(config, parts)
        config, parts = built()
        nn_ = by_nn(config, parts)
        steps = parts.trainer["max_epochs"] * len(parts.data.train_dataloader())
        ratios.append(nn_ / hand)
        each = f"by hand {1e3 * hand / steps:.2f} ms a step, nn {1e3 * nn_ / steps:.2f} ms"
        print(f"  {name}: {each}, ratio {ratios[-1]:.3f}")
    print(f"{name}: median ratio {statistics.median(ratios):.3f} of {steps} steps")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        torch.set_num_threads(int(sys.argv[1]))
    compare("tiny", tiny)
    compare("convolutional", convolutional)
