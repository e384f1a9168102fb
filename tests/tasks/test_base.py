"""What a task of one's own must give."""

import pytest
import torch
from torch import nn

from nncli.errors import NnError
from nncli.tasks.base import Task
from tests.tasks.parts import made

X, Y = torch.zeros(2, 3), torch.zeros(2)


def test_what_a_task_lacks_is_said_by_its_name() -> None:
    task = made(Task, nn.Linear(3, 1))
    with pytest.raises(NnError, match="the task Task has no training_loss, nor turns of its own"):
        task.turns()[0].loss((X, Y))
    with pytest.raises(NnError, match="the task Task has no predict"):
        task.predict(X)
    with pytest.raises(NnError, match="the task Task has no metric_sums"):
        task.metric_sums((X, Y))
    with pytest.raises(NnError, match="the task Task has no metrics_from"):
        task.metrics_from([1.0])


def test_the_initial_weights_are_made_before_training() -> None:
    task = made(Task, nn.Linear(3, 1), init=lambda net: nn.init.ones_(net.weight))
    assert torch.equal(task.net.weight, torch.ones(1, 3))  # pyright: ignore[reportArgumentType]
