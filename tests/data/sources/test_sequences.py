"""Sequence exercises: the rules hold, and no part holds a sample of another."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import AdamW

from nncli.data.base import Data
from nncli.errors import DataError
from nncli.models.mlp import MLP
from nncli.tasks.classification import Classification
from nncli.transforms.standardize import Standardize
from tests.data.choices import chosen
from tests.tasks.parts import made, measured, step

NAMES = ["copy", "reverse", "addition", "counting"]


def load(name: str, **changed: Any) -> Data:
    data = chosen(name, **changed)
    data.setup()
    return data


def whole(data: Data, part: str) -> tuple[Tensor, Tensor]:
    return data.parts[part].span(0, len(data.parts[part]))


@pytest.mark.parametrize("name", NAMES)
def test_yaml_states_the_facts_and_no_sample_is_in_two_parts(name: str) -> None:
    data = load(name)
    rows = [tuple(row) for part in data.parts for row in whole(data, part)[0].tolist()]
    assert len(set(rows)) == len(rows) > 1000
    assert all(whole(data, part)[0].min() > 0 for part in data.parts), "0 fills up and is no symbol"
    assert torch.equal(whole(load(name), "test")[0], whole(data, "test")[0])
    assert not torch.equal(whole(load(name, split={"seed": 1}), "test")[0], whole(data, "test")[0])


def test_copy_and_reverse_answer_with_the_same_symbols() -> None:
    x, y = whole(load("copy"), "train")
    assert torch.equal(x, y)
    assert x.unique().tolist() == list(range(1, 11))
    x, y = whole(load("reverse"), "train")
    assert torch.equal(x.flip(1), y)


@pytest.mark.parametrize("length", [1, 3, 12])
def test_addition_adds(length: int) -> None:
    data = load("addition", length=length, size=80, input_shape=[2 * length + 1], batch_size=8)
    x, y = (part.tolist() for part in whole(data, "train"))
    for row, answer in zip(x, y, strict=True):
        text = "".join("0123456789+"[token - 1] for token in row)
        first, second = text.split("+")
        assert int("".join(str(token - 1) for token in answer)) == int(first) + int(second)
        assert len(answer) == length + 1


def test_counting_goes_on_evenly() -> None:
    x, y = whole(load("counting"), "train")
    steps = x.diff(dim=1)
    assert (steps == steps[:, :1]).all()
    assert torch.equal(x[:, -1] + steps[:, 0], y + 1), "the token of a number is one more than its class"


def test_an_mlp_learns_to_count() -> None:
    torch.manual_seed(0)
    data = load("counting", length=3, input_shape=[3])
    net = MLP([3], 100, 128, 2, "relu", 0.0)
    scale, optimize = Standardize([3]), partial(AdamW, lr=0.01)
    learner = made(Classification, net, scale=scale, optimizer=optimize, num_classes=100)
    learner.fit_statistics(data.parts["train"])
    optimizer, epochs = learner.updates.make(learner.net), 45
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = 0.01 * (1 - epoch / epochs)
        for batch in data.train_dataloader():
            step(learner, optimizer, batch)
    found = measured(learner, whole(data, "test"))
    assert found["accuracy"] > 0.7, "chance is 0.01"


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("copy", {"length": 2}, r"data\.size is 5000, but only 100 different samples exist"),
        ("addition", {"length": 1}, r"data\.size is 20000, but only 100 different samples exist"),
        ("addition", {"num_tokens": 11, "num_classes": 11}, r"data\.num_tokens is 11; addition has 12"),
        ("reverse", {"num_classes": 5}, r"data\.num_classes is 5; answers have all 11 data\.num_tokens"),
        ("counting", {"num_classes": 50}, r"data\.num_tokens is 101.*data\.num_tokens=51"),
        ("counting", {"num_classes": 6, "num_tokens": 7}, r"data\.num_classes is 6, too few.*data\.num_classes=32"),
    ],
)
def test_what_cannot_be_made_is_refused(name: str, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(name, **changed)


def test_nearly_all_of_few_samples_are_drawn_once() -> None:
    data = load("copy", length=2, size=90, input_shape=[2], batch_size=8)
    rows = {tuple(row) for part in data.parts for row in whole(data, part)[0].tolist()}
    assert len(rows) == 90
