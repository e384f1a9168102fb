"""Rosenblatt's rule, step by step and to its limit."""

from functools import partial

import pytest
import torch
from torch.optim import SGD

from nncli.errors import NnError
from nncli.losses.perceptron import PerceptronLoss
from nncli.models.linear import Linear
from nncli.models.perceptron import Perceptron
from nncli.tasks.perceptron import PerceptronRule
from nncli.transforms.standardize import Standardize
from tests.tasks.parts import made, measured, step

X = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TABLES = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]}


def unit(net: torch.nn.Module, lr: float = 1.0) -> PerceptronRule:
    scale, rule = Standardize([2], kind="none"), partial(SGD, lr=lr)
    return made(PerceptronRule, net, scale=scale, loss=PerceptronLoss(), optimizer=rule, monitor="val/accuracy")


def accuracies(y: torch.Tensor, epochs: int) -> list[float]:
    task = unit(Perceptron([2]))
    optimizer = task.updates.make(task.net)
    found = []
    for _ in range(epochs):
        for row in range(4):
            step(task, optimizer, (X[row : row + 1], y[row : row + 1]))
            found.append(measured(task, (X, y))["accuracy"])
    return found


@pytest.mark.parametrize("rows", [1, 5])
def test_each_step_is_the_rule(rows: int) -> None:
    torch.manual_seed(0)
    net = Perceptron([2])
    task = unit(net, lr=0.5)
    optimizer = task.updates.make(task.net)
    weight, bias = torch.zeros(2), torch.zeros(())
    for _ in range(40):
        x, y = torch.randn(rows, 2), torch.randint(0, 2, (rows,))
        wrong = y - (x @ weight + bias > 0).float()  # Rosenblatt: 1, 0 or -1 for each row
        weight, bias = weight + 0.5 * (wrong @ x), bias + 0.5 * wrong.sum()
        step(task, optimizer, (x, y))
        assert torch.allclose(net.weight, weight, atol=1e-5)
        assert torch.allclose(net.bias, bias, atol=1e-5)
    assert weight.abs().sum() > 0


@pytest.mark.parametrize("name", ["and", "or"])
def test_what_a_line_parts_is_learned_and_then_left_alone(name: str) -> None:
    assert accuracies(torch.tensor(TABLES[name]), epochs=10)[-4:] == [1.0] * 4


def test_xor_is_never_learned() -> None:
    assert max(accuracies(torch.tensor(TABLES["xor"]), epochs=50)) <= 0.75


def test_predictions_are_the_answers_of_the_net() -> None:
    net = Perceptron([2])
    net.weight.data.fill_(1.0)
    net.bias.data.fill_(-1.5)
    assert unit(net).predict(X).tolist() == TABLES["and"]
    assert net(X).tolist() == TABLES["and"]


def test_another_net_is_refused_with_the_word_that_mends_it() -> None:
    with pytest.raises(NnError, match="model=perceptron"):
        unit(Linear([2], 1)).predict(X)
