"""A student learns from its teacher's answers."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from nncli.errors import NnError
from nncli.losses.binary import Binary
from nncli.models.mlp import MLP
from nncli.tasks.distillation import Distillation
from nncli.transforms.standardize import Standardize
from tests.tasks.parts import learned, made
from tests.tasks.test_classification import digits, task


def student(teacher: nn.Module, alpha: float, classes: int = 10) -> Distillation:
    return made(
        Distillation,
        MLP([1, 8, 8], classes, 32, 1, "relu", 0.0),
        scale=Standardize([1, 8, 8]),
        optimizer=partial(AdamW, lr=0.01),
        monitor="val/accuracy",
        teacher=teacher,
        temperature=4.0,
        alpha=alpha,
    )


def test_a_student_learns_from_its_teacher_alone_where_the_labels_say_nothing() -> None:
    torch.manual_seed(0)
    taught, data = task([1, 8, 8], 10), digits()
    taught.fit_statistics(data.parts["train"])
    learner, _ = learned(taught, data, 8)
    assert learner.results["val/accuracy"] > 0.95
    rows = data.parts["train"]
    assert rows.labels is not None
    rows.labels.copy_(rows.labels[torch.randperm(len(rows))])
    found = {}
    for alpha in (1.0, 0.0):
        pupil = student(taught.net, alpha)
        pupil.fit_statistics(rows)
        learner, _ = learned(pupil, data, 8)
        found[alpha] = learner.results["val/accuracy"]
    assert found[1.0] > 0.93, found
    assert found[0.0] < 0.3, found


def test_the_teacher_stays_as_it_is() -> None:
    torch.manual_seed(0)
    data = digits()
    teacher = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, 10))
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    pupil = student(teacher, 0.5)
    pupil.fit_statistics(data.parts["train"])
    start = pupil.net.state_dict()["layers.1.weight"].clone()
    learned(pupil, data, 1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.state_dict().items())
    assert not torch.equal(start, pupil.net.state_dict()["layers.1.weight"])


def test_a_teacher_of_other_classes_is_told() -> None:
    pupil = student(MLP([1, 8, 8], 3, 8, 1, "relu", 0.0), 0.5)
    with pytest.raises(NnError, match=r"3 scores, the net 10.*the same classes"):
        pupil.training_loss((torch.rand(2, 1, 8, 8), torch.tensor([0, 1])))


def test_a_net_of_one_output_learns_from_its_teacher_too() -> None:
    """Alone, one score would be a share of 1 whatever it is, and nothing would be learned from it."""
    x, y = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 1, 0])
    for outputs in (1, 2):
        pupil = student(MLP([1, 8, 8], outputs, 8, 1, "relu", 0.0), 1.0, classes=1)
        pupil.num_classes, pupil.loss = 2, Binary(0.0)
        pupil.training_loss((x, y)).backward()
        grads = [weight.grad.abs().sum() for weight in pupil.net.parameters() if weight.grad is not None]
        assert sum(grads) > 0, outputs
