"""Classification under Lightning's Trainer."""

from functools import partial
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import nn
from torch.optim import SGD, AdamW

from nncli.data.points import Points
from nncli.data.scikit import Scikit
from nncli.models.mlp import MLP
from nncli.optim.schedule import WarmupCosine
from nncli.tasks.classification import Classification
from nncli.transforms.standardize import Standardize
from nncli.transforms.transform import Transform

# Lightning 2.6 asks torch for tree leaves in the way that torch 2.13 advises against.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")


def task(shape: list[int], classes: int, width: int = 64, optimizer: Any = None) -> Classification:
    net = MLP(shape, classes, width, 1, "relu", 0.0)
    optimizer = optimizer or partial(AdamW, lr=0.01, fused=True)
    schedule = partial(WarmupCosine, warmup=0.1, final=0.0)
    transform = Transform(Standardize(shape), [])
    return Classification(net, transform, nn.CrossEntropyLoss(), optimizer, schedule, "val/accuracy", "max")


def trainer(epochs: int, **options: Any) -> Trainer:
    quiet: dict[str, Any] = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
    quiet |= {"enable_model_summary": False, "num_sanity_val_steps": 0, "accelerator": "cpu", "devices": 1}
    return Trainer(max_epochs=epochs, **(quiet | options))


def digits() -> Scikit:
    data = Scikit("digits", 64, 0.15, 0.15, 0, [1, 8, 8], 10)
    data.setup()
    return data


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_learns_digits_with_clipped_gradients_and_a_fused_optimizer(precision: Any) -> None:
    torch.manual_seed(0)
    learner, data = task([1, 8, 8], 10), digits()
    learner.fit_statistics(data.parts["train"])
    fit = trainer(5, precision=precision, gradient_clip_val=1.0)
    fit.fit(learner, data)
    fit.test(learner, data, verbose=False)
    assert learner.results["test/accuracy"] > 0.94, learner.results
    assert set(learner.results) == {"val/loss", "val/accuracy", "test/loss", "test/accuracy"}


def test_metrics_are_those_of_the_whole_part_at_once() -> None:
    learner, data = task([1, 8, 8], 10), digits()
    learner.fit_statistics(data.parts["train"])
    judge = trainer(1)
    judge.test(learner, data, verbose=False)
    x, y = data.parts["test"].span(0, len(data.parts["test"]))
    with torch.no_grad():
        loss, guess = learner.loss(learner(x), y).item(), learner.predict(x).argmax(1)
    assert learner.results["test/loss"] == pytest.approx(loss, rel=1e-5)
    assert learner.results["test/accuracy"] == pytest.approx((guess == y).double().mean().item())
    assert judge.callback_metrics["test/loss"].item() == pytest.approx(loss, rel=1e-5), "loggers get them too"


def test_an_empty_share_adds_nothing() -> None:
    learner = task([2], 2)
    empty = learner.sums((torch.zeros(0, 2), torch.zeros(0, dtype=torch.long)))
    assert empty.tolist() == [0, 0, 0]


def test_the_schedule_ends_with_the_run() -> None:
    data = Points("moons", 200, 0.1, 32, 0.15, 0.15, 0, [2], 2)
    learner, fit = task([2], 2), trainer(3, accumulate_grad_batches=2)
    data.place(seed=0, rank=0, world=1, accumulate=2, limit=None, overfit=0)
    fit.fit(learner, data)
    assert fit.global_step == 3 * 4, "140 samples give 4 steps of 32"
    assert fit.optimizers[0].param_groups[0]["lr"] == 0.0


def test_accumulated_batches_move_the_weights_as_whole_ones_do() -> None:
    finals = []
    for accumulate in (1, 4):
        torch.manual_seed(0)
        data = Points("moons", 200, 0.1, 32, 0.15, 0.15, 0, [2], 2)
        data.place(seed=0, rank=0, world=1, accumulate=accumulate, limit=None, overfit=0)
        learner = task([2], 2, optimizer=partial(SGD, lr=0.5))
        trainer(2, accumulate_grad_batches=accumulate).fit(learner, data)
        finals.append(torch.cat([weight.detach().flatten() for weight in learner.net.parameters()]))
    assert torch.allclose(finals[0], finals[1], atol=1e-5)
