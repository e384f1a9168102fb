"""Circles, squares and triangles."""

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from nncli.data.sources.shapes import Shapes
from nncli.errors import DataError
from nncli.models.mlp import MLP
from nncli.tasks.classification import Classification
from nncli.transforms.standardize import Standardize
from tests.data.choices import chosen
from tests.tasks.parts import made, measured, step


def shapes(**changed: Any) -> Shapes:
    data = chosen("shapes", **changed)
    data.setup()
    return data


def whole(data: Shapes, part: str) -> tuple[Tensor, Tensor]:
    return data.parts[part].span(0, len(data.parts[part]))


def test_pictures_are_bytes_of_three_even_classes_and_the_seed_decides_them() -> None:
    data = shapes(size=300)
    x, y = whole(data, "train")
    assert (x.dtype, list(x.shape[1:])) == (torch.uint8, [1, 28, 28])
    assert y.bincount().tolist() == [70, 70, 70]
    assert data.facts["classes"] == ["circle", "square", "triangle"]
    assert torch.equal(whole(shapes(size=300), "train")[0], x)
    assert not torch.equal(whole(shapes(size=300, split={"seed": 1}), "train")[0], x)


def test_shapes_lie_within_the_picture_and_tell_nothing_by_their_area() -> None:
    x, y = whole(shapes(size=600, noise=0.0, input_shape=[1, 40, 60]), "train")
    ground = x[:, 0, :1, :1]
    drawn = x[:, 0] > ground
    edge = torch.cat([drawn[:, 0], drawn[:, -1], drawn[:, :, 0], drawn[:, :, -1]], dim=1)
    assert not edge.any(), "the outermost pixels are ground"
    area = torch.stack([drawn.flatten(1).sum(1)[y == kind].double().mean() for kind in range(3)])
    assert area.max() / area.min() < 1.15
    low, high = (math.pi * (40 * share) ** 2 for share in (0.18, 0.28))
    assert low < area.mean() < high


def test_an_outline_is_what_its_name_says() -> None:
    """A shape's share of its smallest upright box: pi/4, 1 and 1/2."""
    x, y = whole(shapes(size=300, noise=0.0, turn=False, input_shape=[1, 64, 64]), "train")
    drawn = x[:, 0] > x[:, 0, :1, :1]
    box = drawn.any(1).sum(1) * drawn.any(2).sum(1)
    share = drawn.flatten(1).sum(1) / box
    for kind, wanted in enumerate((math.pi / 4, 1.0, 0.5)):
        assert share[y == kind].mean() == pytest.approx(wanted, abs=0.06)


def test_colour_has_three_channels_of_their_own() -> None:
    x, _ = whole(shapes(size=60, input_shape=[3, 24, 24], batch_size=8), "train")
    assert x.shape[1] == 3
    assert (x[:, 0] != x[:, 1]).any()


def test_an_mlp_tells_upright_shapes_apart_in_seconds() -> None:
    torch.manual_seed(0)
    data = shapes(turn=False, input_shape=[1, 20, 20])
    net = MLP([1, 20, 20], 3, 128, 2, "relu", 0.0)
    scale, loss = Standardize([1, 20, 20]), nn.CrossEntropyLoss(label_smoothing=0.1)
    optimize = partial(AdamW, lr=0.003, weight_decay=0.01)
    learner = made(Classification, net, scale=scale, loss=loss, optimizer=optimize, num_classes=3)
    learner.fit_statistics(data.parts["train"])
    optimizer, epochs = learner.updates.make(learner.net), 15
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = 0.003 * (1 - epoch / epochs)
        for batch in data.train_dataloader():
            step(learner, optimizer, batch)
    found = measured(learner, whole(data, "test"))
    assert found["accuracy"] > 0.95


@pytest.mark.parametrize("shape", [[2, 28, 28], [28, 28], [1, 4, 28]], ids=str)
def test_a_picture_that_cannot_be_drawn_is_refused(shape: list[int]) -> None:
    with pytest.raises(DataError, match=r"data\.input_shape is \[.*each side 16 or more"):
        shapes(input_shape=shape)
