"""Points in the plane that were not among scikit-learn's tests: rings, circle, blobs."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.data.choices import chosen


def drawn(name: str, **changed: Any) -> tuple[torch.Tensor, torch.Tensor]:
    data = chosen(name, **changed)
    data.setup()
    x, y = zip(*(rows.span(0, len(rows)) for rows in data.parts.values()), strict=True)
    return torch.cat(x), torch.cat(y)


def test_rings_lie_inside_one_another() -> None:
    x, y = drawn("rings")
    away = x.norm(dim=1)
    assert away[y == 0].mean() == pytest.approx(1, abs=0.02)
    assert away[y == 1].mean() == pytest.approx(0.5, abs=0.02)
    assert y.bincount().tolist() == [500, 500]


def test_a_circle_parts_inside_from_outside_in_half() -> None:
    x, y = drawn("circle", noise=0.0)
    assert x[y == 1].norm(dim=1).max() < x[y == 0].norm(dim=1).min()
    assert 0.45 < y.double().mean() < 0.55
    assert x.abs().max() <= 1


@pytest.mark.parametrize("count", [3, 7])
def test_there_are_as_many_blobs_as_classes(count: int) -> None:
    x, y = drawn("blobs", num_classes=count, noise=0.02)
    middles = torch.stack([x[y == kind].mean(0) for kind in range(count)])
    assert torch.equal(torch.cdist(x, middles).argmin(1), y)
    apart = torch.cdist(middles, middles)[~torch.eye(count, dtype=torch.bool)].min()
    assert apart == pytest.approx(2 * np.sin(np.pi / count), abs=0.05)


@pytest.mark.parametrize("name", ["rings", "circle", "blobs"])
def test_the_split_seed_draws_the_points(name: str) -> None:
    assert torch.equal(drawn(name)[0], drawn(name)[0])
    assert not torch.equal(drawn(name)[0], drawn(name, split={"seed": 1})[0])
