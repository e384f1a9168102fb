"""Classification under Lightning's Trainer."""

from functools import partial
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import nn
from torch.optim import SGD, AdamW

from nncli.data.rows import InMemory
from nncli.data.sources.points import Points
from nncli.data.sources.scikit import Scikit
from nncli.errors import NnError
from nncli.losses.binary import Binary
from nncli.models.mlp import MLP
from nncli.optim.schedule import WarmupCosine
from nncli.tasks.classification import Classification
from nncli.transforms.crop_flip import CropFlip
from nncli.transforms.mixup import Mixup
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
    brief, whole = {"loss", "accuracy", "f1"}, {"precision", "recall", "ece", "top5", "roc_auc"}
    assert set(learner.results) == {f"val/{m}" for m in brief} | {f"test/{m}" for m in brief | whole}
    assert sum(map(sum, learner.details["confusion"])) == len(data.parts["test"])


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


@pytest.mark.parametrize("thorough", [False, True])
def test_an_empty_share_adds_nothing_and_as_much_of_it(thorough: bool) -> None:
    learner = task([2], 2)
    learner.thorough = thorough
    some = learner.sums((torch.zeros(3, 2), torch.zeros(3, dtype=torch.long)))
    empty = learner.sums((torch.zeros(0, 2), torch.zeros(0, dtype=torch.long)))
    assert empty.shape == some.shape
    assert not empty.any()


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


def plain(
    net: nn.Module, *, loss: nn.Module | None = None, mix: nn.Module | None = None, **more: Any
) -> Classification:
    """A task without a scale for its inputs."""
    transform = Transform(nn.Identity(), [], mix)
    loss = loss or nn.CrossEntropyLoss()
    return Classification(net, transform, loss, partial(SGD, lr=0.5), None, "val/accuracy", "max", **more)


def minority(class_weights: Any) -> tuple[float, Classification]:
    """The share of 50 rare samples among 1,000 overlapping ones that a linear net finds after 200 steps."""
    torch.manual_seed(0)
    y = (torch.arange(1000) < 50).long()
    x = torch.randn(1000, 2) + 1.5 * y[:, None]
    learner = plain(nn.Linear(2, 2), num_classes=2, class_weights=class_weights)
    learner.fit_statistics(InMemory(x, y))
    optimizer = SGD(learner.net.parameters(), lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        learner.training_step((x, y), 0).backward()
        optimizer.step()
    return (learner(x[:50]).argmax(1) == 1).float().mean().item(), learner


def test_balanced_weights_find_the_rare_class_and_travel_with_the_net() -> None:
    as_they_come, _ = minority(None)
    balanced, learner = minority("balanced")
    assert as_they_come < 0.5
    assert balanced > 0.8
    assert learner.weight_of_class is not None
    assert learner.weight_of_class.tolist() == pytest.approx([1000 / 2 / 950, 1000 / 2 / 50])
    other = plain(nn.Linear(2, 2), num_classes=2, class_weights="balanced")
    other.load_state_dict(learner.state_dict())
    assert other.weight_of_class is not None
    assert torch.equal(other.weight_of_class, learner.weight_of_class)
    assert "weight_of_class" not in plain(nn.Linear(2, 2)).state_dict(), "older runs have none"


def test_class_weights_are_torchs_in_training_and_not_in_judging() -> None:
    torch.manual_seed(0)
    learner = plain(
        nn.Linear(2, 3), loss=nn.CrossEntropyLoss(label_smoothing=0.1), num_classes=3, class_weights="balanced"
    )
    x, y = torch.randn(60, 2), torch.arange(60).clamp(max=50).div(25, rounding_mode="floor")
    learner.fit_statistics(InMemory(x, y))
    weighted = nn.CrossEntropyLoss(weight=learner.weight_of_class, label_smoothing=0.1)
    assert learner.training_step((x, y), 0).item() == pytest.approx(weighted(learner(x), y).item())
    assert learner.finish(learner.sums((x, y)).tolist())["loss"] == pytest.approx(learner.loss(learner(x), y).item())


def test_a_class_that_is_not_in_the_training_part_weighs_one() -> None:
    learner = plain(nn.Linear(2, 3), num_classes=3, class_weights="balanced")
    learner.fit_statistics(InMemory(torch.zeros(4, 2), torch.tensor([0, 2, 2, 2])))
    assert learner.weight_of_class is not None
    assert learner.weight_of_class.tolist() == pytest.approx([2, 1, 2 / 3])


def test_mixing_makes_labels_soft_in_training_only() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(64, 2), torch.arange(64).remainder(3)
    learner = plain(nn.Linear(2, 3), mix=Mixup(1.0, 1.0), num_classes=3, class_weights="balanced")
    learner.fit_statistics(InMemory(x, y))
    torch.manual_seed(1)
    loss = learner.training_step((x, y), 0)
    torch.manual_seed(1)
    mixed, soft = Mixup(1.0, 1.0)(x, nn.functional.one_hot(y, 3).float())
    weighted = nn.CrossEntropyLoss(weight=learner.weight_of_class)
    assert loss.item() == pytest.approx(weighted(learner.net(mixed), soft).item(), rel=1e-5)
    learner.eval()
    assert learner.training_step((x, y), 0).item() == pytest.approx(weighted(learner.net(x), y).item(), rel=1e-5)


def test_what_mixing_and_weights_need_is_said() -> None:
    batch = torch.randn(4, 2), torch.zeros(4, dtype=torch.long)
    with pytest.raises(NnError, match=r"task.num_classes is null.*set it to \$\{data.num_classes\}"):
        plain(nn.Linear(2, 2), mix=Mixup(1.0, 1.0)).training_step(batch, 0)
    with pytest.raises(NnError, match=r"task.class_weights=balanced goes with loss=cross_entropy, not MSELoss"):
        plain(nn.Linear(2, 2), loss=nn.MSELoss(), num_classes=2, class_weights="balanced")


def test_measured_targets_are_refused() -> None:
    with pytest.raises(NnError, match=r"wants classes as targets.*take task=regression or.*task=forecast.*loss=mse"):
        plain(nn.Linear(2, 2)).training_step((torch.randn(4, 2), torch.randn(4)), 0)


def shifted_accuracy(shift: bool) -> float:
    """How many digits are recognized, each moved by one pixel, by a net that did or did not see moved ones."""
    torch.manual_seed(0)
    learner, data = task([1, 8, 8], 10, optimizer=partial(AdamW, lr=0.005, fused=True)), digits()
    learner.transform = Transform(Standardize([1, 8, 8]), [CropFlip(1, flip=False)] if shift else [])
    learner.fit_statistics(data.parts["train"])
    trainer(15, limit_val_batches=0).fit(learner, data)
    learner.eval()
    x, y = data.parts["test"].span(0, len(data.parts["test"]))
    moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]
    with torch.no_grad():
        right = [(learner(x.roll(move, (2, 3))).argmax(1) == y).float().mean() for move in moves]
    return torch.stack(right).mean().item()


def test_a_net_that_saw_shifted_digits_recognizes_shifted_digits() -> None:
    without, with_shift = shifted_accuracy(False), shifted_accuracy(True)
    assert with_shift > without + 0.15, (without, with_shift)


def test_one_output_answers_for_two_classes_as_two_do() -> None:
    torch.manual_seed(0)
    data = Points("moons", 400, 0.1, 32, 0.15, 0.15, 0, [2], 2)
    data.setup()
    learner = plain(MLP([2], 1, 32, 1, "tanh", 0.0), loss=Binary(0.0), num_classes=2)
    fit = trainer(25)
    fit.fit(learner, data)
    fit.test(learner, data, verbose=False)
    assert learner.results["test/accuracy"] > 0.93, learner.results
    assert learner.results["test/roc_auc"] > 0.97
    x, y = data.parts["test"].span(0, 60)
    p = learner.predict(x)
    assert p.shape == (60, 2)
    assert torch.allclose(p[:, 1], learner(x)[:, 0].sigmoid(), atol=1e-6)
    assert learner.results["test/accuracy"] == pytest.approx((p.argmax(1) == y).double().mean().item())


def test_one_output_for_more_classes_is_told() -> None:
    learner = plain(nn.Linear(2, 1), loss=Binary(0.0), num_classes=3)
    with pytest.raises(NnError, match="one output tells two classes apart, not 3"):
        learner.training_step((torch.zeros(2, 2), torch.tensor([0, 2])), 0)
