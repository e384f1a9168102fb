"""Regression in the target's own units."""

from functools import partial

import pytest
import torch
from sklearn import metrics
from torch import nn
from torch.optim import Adam

from nncli.data.rows import InMemory
from nncli.errors import NnError
from nncli.models.linear import Linear
from nncli.tasks.regression import Regression
from nncli.transforms.standardize import Standardize
from tests.tasks.parts import made, measured, step


def task(outputs: int = 1) -> Regression:
    rule = partial(Adam, lr=0.05)
    return made(Regression, Linear([3], outputs), scale=Standardize([3]), loss=nn.MSELoss(), optimizer=rule)


def table(rows: int, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(rows, 3) * torch.tensor([1.0, 50.0, 0.1]) + 7
    return x, 1000 + x @ torch.tensor([20.0, 1.0, 300.0]) + noise * torch.randn(rows)


def test_predictions_and_metrics_are_in_the_targets_units() -> None:
    torch.manual_seed(0)
    learner, (x, y) = task(), table(500, noise=10)
    learner.fit_statistics(InMemory(x, y))
    optimizer = learner.updates.make(learner.net)
    for _ in range(200):
        step(learner, optimizer, (x, y))
    found = measured(learner, (x[:123], y[:123]), (x[123:], y[123:]))
    error = learner.predict(x) - y
    assert found["mae"] == pytest.approx(error.abs().mean().item(), rel=1e-3)
    assert found["rmse"] == pytest.approx(error.square().mean().sqrt().item(), rel=1e-3)
    assert found["r2"] == pytest.approx(1 - (error.square().sum() / (y - y.mean()).square().sum()).item(), abs=1e-3)
    assert found["mse"] == pytest.approx(metrics.mean_squared_error(y, learner.predict(x).detach()), rel=1e-3)
    assert 8 < found["rmse"] < 12, "what remains is the noise of 10"
    assert found["loss"] < 1, "the loss is in standard units"


def test_the_scale_travels_with_the_weights() -> None:
    one, two, (x, y) = task(), task(), table(50, noise=1)
    one.fit_statistics(InMemory(x, y))
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.predict(x), two.predict(x))


def test_constant_targets_have_no_r2_and_break_nothing() -> None:
    learner, x, y = task(), torch.randn(8, 3), torch.full((8,), 5.0)
    learner.fit_statistics(InMemory(x, y))
    found = measured(learner, (x, y))
    assert found["r2"] != found["r2"]
    assert found["mae"] > 0


def test_more_outputs_than_one_are_refused_with_the_word_that_mends_it() -> None:
    with pytest.raises(NnError, match=r"\[3\]; set model\.num_outputs=1"):
        task(outputs=3).training_loss(table(8, 0.0))


@pytest.mark.parametrize("seed", range(10))
def test_an_evaluation_gives_scikit_learns_metrics(seed: int) -> None:
    dice = torch.Generator().manual_seed(seed)
    learner = task()
    learner.target_mean.fill_(3.0 * seed)
    learner.target_std.fill_(0.1 + seed)
    z, wanted = torch.randn(500, generator=dice), torch.randn(500, generator=dice)
    found, _ = learner.evaluate(z, wanted)
    answer, truth = ((0.1 + seed) * column.double() + 3.0 * seed for column in (z, wanted))
    expected = {
        "mae": metrics.mean_absolute_error(truth, answer),
        "mse": metrics.mean_squared_error(truth, answer),
        "rmse": metrics.root_mean_squared_error(truth, answer),
        "r2": metrics.r2_score(truth, answer),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6)
