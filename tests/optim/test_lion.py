"""Lion beside its paper's algorithm 2, in plain Python."""

import pytest
import torch

from nncli.optim.lion import Lion

LR, ONE, TWO, DECAY = 0.05, 0.9, 0.99, 0.1
CURVE = (1.0, 10.0, 0.1)


def sign(value: float) -> float:
    return (value > 0) - (value < 0)


def by_hand(start: list[float], steps: int) -> list[float]:
    w, m = list(start), [0.0] * len(start)
    for _ in range(steps):
        for i, bend in enumerate(CURVE):
            g = bend * w[i]
            update = sign(ONE * m[i] + (1 - ONE) * g)
            w[i] -= LR * (update + DECAY * w[i])
            m[i] = TWO * m[i] + (1 - TWO) * g
    return w


def test_is_the_papers_on_a_quadratic() -> None:
    start = [1.0, -0.62, 3.0]
    w = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = Lion([w], lr=LR, betas=(ONE, TWO), weight_decay=DECAY)
    for step in range(1, 21):
        optimizer.zero_grad()
        (torch.tensor(CURVE, dtype=torch.float64) * w.square() / 2).sum().backward()
        optimizer.step()
        assert w.tolist() == pytest.approx(by_hand(start, step), rel=1e-9)
