"""Made-up pictures that a net has to look at, and a short training on them."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

Learned = Callable[..., tuple[float, float]]


def strokes(count: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures with a stroke at a random place; the class says whether it lies or stands. No sum of pixels can tell."""
    y = torch.arange(count) % 2
    x = torch.zeros(count, 1, size, size)
    for i, (row, column) in enumerate(torch.randint(2, size - 2, (count, 2)).tolist()):
        x[i, 0, row, column - 2 : column + 3] += 1 - y[i]
        x[i, 0, row - 2 : row + 3, column] += y[i]
    return x, y


@pytest.fixture
def learned() -> Learned:
    """Train on strokes; the accuracy on strokes that were not seen, before and after."""

    def train(net: nn.Module, size: int, steps: int, lr: float, batch: int = 32) -> tuple[float, float]:
        x, y = strokes(steps * batch + 64, size)
        x = x.to(memory_format=torch.channels_last)
        net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        optimizer = torch.optim.Adam(net.parameters(), lr)

        def accuracy() -> float:
            with torch.inference_mode():
                return float((net.eval()(x[-64:]).argmax(1) == y[-64:]).float().mean())

        before = accuracy()
        net.train()
        for step in range(steps):
            rows = slice(step * batch, (step + 1) * batch)
            optimizer.zero_grad()
            cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
        return before, accuracy()

    return train
