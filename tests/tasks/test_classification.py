"""Classification as a run trains it."""

import json
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW

import nncli
from nncli.data.rows import InMemory
from nncli.data.sources.points import Points
from nncli.data.sources.scikit import Scikit
from nncli.data.split import Shares
from nncli.errors import NnError
from nncli.losses.binary import Binary
from nncli.models.mlp import MLP
from nncli.optim.schedule import WarmupCosine
from nncli.tasks.classification import Classification
from nncli.transforms.crop_flip import CropFlip
from nncli.transforms.mixup import Mixup
from nncli.transforms.standardize import Standardize
from nncli.transforms.transform import Transform
from tests.tasks.parts import final_results, learned, made, measured, step, weights

HELD_OUT = Shares(0.15, 0.15, seed=0)


def task(shape: list[int], classes: int, width: int = 64, optimizer: Any = None) -> Classification:
    return made(
        Classification,
        MLP(shape, classes, width, 1, "relu", 0.0),
        scale=Standardize(shape),
        optimizer=optimizer or partial(AdamW, lr=0.01, fused=True),
        scheduler=partial(WarmupCosine, warmup=0.1, final=0.0),
        monitor="val/accuracy",
    )


def digits() -> Scikit:
    data = Scikit("digits", batch_size=64, split=HELD_OUT, input_shape=[1, 8, 8], num_classes=10)
    data.setup()
    return data


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_learns_digits_with_clipped_gradients_and_a_fused_optimizer(precision: Literal["32", "bf16"]) -> None:
    torch.manual_seed(0)
    classifier, data = task([1, 8, 8], 10), digits()
    classifier.fit_statistics(data.parts["train"])
    learner, _ = learned(classifier, data, 5, precision=precision, grad_clip=1.0)
    found = learner.results | final_results(classifier, data, precision)
    assert found["test/accuracy"] > 0.94, found
    brief, whole = {"loss", "accuracy", "f1"}, {"precision", "recall", "ece", "top5", "roc_auc"}
    assert set(found) == {f"val/{m}" for m in brief} | {f"test/{m}" for m in brief | whole}


def test_metrics_are_those_of_the_whole_part_at_once() -> None:
    classifier, data = task([1, 8, 8], 10), digits()
    classifier.fit_statistics(data.parts["train"])
    found = final_results(classifier, data)
    x, y = data.parts["test"].span(0, len(data.parts["test"]))
    with torch.no_grad():
        loss, guess = classifier.loss(classifier(x), y).item(), classifier.predict(x).argmax(1)
    assert found["test/loss"] == pytest.approx(loss, rel=1e-5)
    assert found["test/accuracy"] == pytest.approx((guess == y).double().mean().item())


LOGGER = """
import json
from pathlib import Path

from lightning.pytorch.loggers.logger import DummyLogger


class Lines(DummyLogger):
    def __init__(self, save_dir):
        super().__init__()
        self.file = Path(save_dir, "lines.jsonl")

    def log_metrics(self, metrics, step=None):
        with self.file.open("a") as file:
            print(json.dumps(metrics), file=file)
"""


def test_loggers_get_the_metrics_too(tmp_path: Path) -> None:
    (tmp_path / "conf" / "logger").mkdir(parents=True)
    (tmp_path / "conf" / "logger" / "lines.yaml").write_text("_target_: lines_logger.Lines\n")
    (tmp_path / "lines_logger.py").write_text(LOGGER)
    words = ["data=iris", "logger=lines", "trainer=cpu", "trainer.max_epochs=1"]
    run = nncli.fit(words, show="quiet", trust=["lines_logger"])
    rows = [json.loads(line) for line in (run.path / "lines.jsonl").read_text().splitlines()]
    metrics = run.read(run.summary)["metrics"]
    assert {"train/loss", "val/loss", "test/accuracy"} <= metrics.keys()
    assert metrics == {name: value for row in rows for name, value in row.items() if name in metrics}


def test_an_empty_share_adds_nothing_and_as_much_of_it() -> None:
    classifier = task([2], 2)
    some = classifier.metric_sums((torch.zeros(3, 2), torch.zeros(3, dtype=torch.long)))
    empty = classifier.metric_sums((torch.zeros(0, 2), torch.zeros(0, dtype=torch.long)))
    assert empty.shape == some.shape
    assert not empty.any()


def test_the_schedule_ends_with_the_run() -> None:
    data = Points(HELD_OUT, 32, "moons", 200, 0.1, [2], 2)
    data.place(seed=0, rank=0, world=1, accumulate=2, limit=None, overfit=0)
    learner, trainer = learned(task([2], 2), data, 3, accumulate=2)
    assert learner.step == trainer.global_step == 3 * 4, "140 samples give 4 steps of 32"
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0.0


def test_accumulated_batches_move_the_weights_as_whole_ones_do() -> None:
    finals = []
    for accumulate in (1, 4):
        torch.manual_seed(0)
        data = Points(HELD_OUT, 32, "moons", 200, 0.1, [2], 2)
        data.place(seed=0, rank=0, world=1, accumulate=accumulate, limit=None, overfit=0)
        classifier = task([2], 2, optimizer=partial(SGD, lr=0.5))
        learned(classifier, data, 2, accumulate=accumulate)
        finals.append(weights(classifier))
    assert torch.allclose(finals[0], finals[1], atol=1e-5)


def plain(net: nn.Module, **more: Any) -> Classification:
    """A task without a scale for its inputs."""
    return made(Classification, net, monitor="val/accuracy", **more)


def minority(class_weights: Any) -> tuple[float, Classification]:
    """The share of 50 rare samples among 1,000 overlapping ones that a linear net finds after 200 steps."""
    torch.manual_seed(0)
    y = (torch.arange(1000) < 50).long()
    x = torch.randn(1000, 2) + 1.5 * y[:, None]
    classifier = plain(nn.Linear(2, 2), num_classes=2, class_weights=class_weights)
    classifier.fit_statistics(InMemory(x, y))
    optimizer = SGD(classifier.net.parameters(), lr=0.5)
    for _ in range(200):
        step(classifier, optimizer, (x, y))
    return (classifier(x[:50]).argmax(1) == 1).float().mean().item(), classifier


def test_balanced_weights_find_the_rare_class_and_travel_with_the_net() -> None:
    as_they_come, _ = minority(None)
    balanced, classifier = minority("balanced")
    assert as_they_come < 0.5
    assert balanced > 0.8
    assert classifier.weight_of_class is not None
    assert classifier.weight_of_class.tolist() == pytest.approx([1000 / 2 / 950, 1000 / 2 / 50])
    other = plain(nn.Linear(2, 2), num_classes=2, class_weights="balanced")
    other.load_state_dict(classifier.state_dict())
    assert other.weight_of_class is not None
    assert torch.equal(other.weight_of_class, classifier.weight_of_class)
    assert "weight_of_class" not in plain(nn.Linear(2, 2)).state_dict(), "older runs have none"


def test_class_weights_are_torchs_in_training_and_not_in_judging() -> None:
    torch.manual_seed(0)
    classifier = plain(
        nn.Linear(2, 3), loss=nn.CrossEntropyLoss(label_smoothing=0.1), num_classes=3, class_weights="balanced"
    )
    x, y = torch.randn(60, 2), torch.arange(60).clamp(max=50).div(25, rounding_mode="floor")
    classifier.fit_statistics(InMemory(x, y))
    weighted = nn.CrossEntropyLoss(weight=classifier.weight_of_class, label_smoothing=0.1)
    assert classifier.training_loss((x, y)).item() == pytest.approx(weighted(classifier(x), y).item())
    assert measured(classifier, (x, y))["loss"] == pytest.approx(classifier.loss(classifier(x), y).item())


def test_a_class_that_is_not_in_the_training_part_weighs_one() -> None:
    classifier = plain(nn.Linear(2, 3), num_classes=3, class_weights="balanced")
    classifier.fit_statistics(InMemory(torch.zeros(4, 2), torch.tensor([0, 2, 2, 2])))
    assert classifier.weight_of_class is not None
    assert classifier.weight_of_class.tolist() == pytest.approx([2, 1, 2 / 3])


def test_mixing_makes_labels_soft_in_training_only() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(64, 2), torch.arange(64).remainder(3)
    classifier = plain(nn.Linear(2, 3), mix=Mixup(1.0, 1.0), num_classes=3, class_weights="balanced")
    classifier.fit_statistics(InMemory(x, y))
    torch.manual_seed(1)
    loss = classifier.training_loss((x, y))
    torch.manual_seed(1)
    mixed, soft = Mixup(1.0, 1.0)(x, nn.functional.one_hot(y, 3).float())
    weighted = nn.CrossEntropyLoss(weight=classifier.weight_of_class)
    assert loss.item() == pytest.approx(weighted(classifier.net(mixed), soft).item(), rel=1e-5)
    classifier.eval()
    assert classifier.training_loss((x, y)).item() == pytest.approx(weighted(classifier.net(x), y).item(), rel=1e-5)


def test_what_mixing_and_weights_need_is_said() -> None:
    batch = torch.randn(4, 2), torch.zeros(4, dtype=torch.long)
    with pytest.raises(NnError, match=r"task.num_classes is null.*set it to \$\{data.num_classes\}"):
        plain(nn.Linear(2, 2), mix=Mixup(1.0, 1.0)).training_loss(batch)
    with pytest.raises(NnError, match=r"task.class_weights=balanced needs loss=cross_entropy.*MSELoss"):
        plain(nn.Linear(2, 2), loss=nn.MSELoss(), num_classes=2, class_weights="balanced")


def test_measured_targets_are_refused() -> None:
    with pytest.raises(NnError, match=r"needs classes as targets.*task=regression or.*task=forecast.*loss=mse"):
        plain(nn.Linear(2, 2)).training_loss((torch.randn(4, 2), torch.randn(4)))


def shifted_accuracy(shift: bool) -> float:
    """How many digits are recognized, each moved by one pixel, by a net that did or did not see moved ones."""
    torch.manual_seed(0)
    classifier, data = task([1, 8, 8], 10, optimizer=partial(AdamW, lr=0.005, fused=True)), digits()
    classifier.transform = Transform(Standardize([1, 8, 8]), [CropFlip(1, flip=False)] if shift else [])
    classifier.fit_statistics(data.parts["train"])
    learned(classifier, data, 15)
    classifier.eval()
    x, y = data.parts["test"].span(0, len(data.parts["test"]))
    moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]
    with torch.no_grad():
        right = [(classifier(x.roll(move, (2, 3))).argmax(1) == y).float().mean() for move in moves]
    return torch.stack(right).mean().item()


def test_a_net_that_saw_shifted_digits_recognizes_shifted_digits() -> None:
    without, with_shift = shifted_accuracy(False), shifted_accuracy(True)
    assert with_shift > without + 0.15, (without, with_shift)


def test_one_output_answers_for_two_classes_as_two_do() -> None:
    torch.manual_seed(0)
    data = Points(HELD_OUT, 32, "moons", 400, 0.1, [2], 2)
    data.setup()
    classifier = plain(MLP([2], 1, 32, 1, "tanh", 0.0), loss=Binary(0.0), num_classes=2)
    learned(classifier, data, 25)
    found = final_results(classifier, data)
    assert found["test/accuracy"] > 0.93, found
    assert found["test/roc_auc"] > 0.97
    x, y = data.parts["test"].span(0, 60)
    p = classifier.predict(x)
    assert p.shape == (60, 2)
    assert torch.allclose(p[:, 1], classifier(x)[:, 0].sigmoid(), atol=1e-6)
    assert found["test/accuracy"] == pytest.approx((p.argmax(1) == y).double().mean().item())


def test_one_output_for_more_classes_is_told() -> None:
    classifier = plain(nn.Linear(2, 1), loss=Binary(0.0), num_classes=3)
    with pytest.raises(NnError, match=r"one output.*model.num_outputs=3"):
        classifier.training_loss((torch.zeros(2, 2), torch.tensor([0, 2])))
