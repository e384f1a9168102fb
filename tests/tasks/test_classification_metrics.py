"""The metrics of a classifier beside scikit-learn's."""

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics
from torch import Tensor, nn

from nncli.tasks.classification import Classification
from tests.tasks.parts import made

MANY = 3000
metrics: Any = sklearn_metrics  # its types say less than it takes


class Given(nn.Module):
    """A net whose inputs are its scores."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def task(classes: int) -> Classification:
    return made(Classification, Given(), num_classes=classes)


def samples(classes: int, confidence: float, missing: int | None = None, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Scores that know something about the labels; rare classes are rarer, and one may not be there at all."""
    torch.manual_seed(classes + 100 * seed)
    y = (torch.rand(MANY).square() * classes).long()
    y[y == missing] = 0
    return confidence * (torch.randn(MANY, classes) + 1.5 * nn.functional.one_hot(y, classes)), y


def judged(logits: Tensor, y: Tensor) -> tuple[dict[str, float], dict[str, Any]]:
    return task(logits.shape[1]).evaluate(logits, y)


def while_training(logits: Tensor, y: Tensor) -> dict[str, float]:
    """By two ranks with uneven batches, the second of which gets nothing in the end."""
    learner = task(logits.shape[1])
    ranks = [[slice(0, 64), slice(64, 65), slice(65, 1700)], [slice(1700, MANY), slice(0, 0)]]
    rows = [sum(learner.metric_sums((logits[s], y[s])).double() for s in rank) for rank in ranks]
    assert isinstance(rows[0], Tensor)
    return learner.metrics_from((rows[0] + rows[1]).tolist())


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_metrics_are_scikit_learns(classes: int, seed: int) -> None:
    logits, y = samples(classes, (0.2, 1.0, 20.0)[seed % 3], seed=seed)
    found, details = judged(logits, y)
    p, guess = logits.double().softmax(1).numpy(), logits.argmax(1)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(y, guess, average="macro", zero_division=0)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y, guess), abs=1e-6)
    assert [found[k] for k in ("precision", "recall", "f1")] == pytest.approx([precision, recall, f1], abs=1e-6)
    if seed % 3 < 2:  # scikit-learn cuts off what is less likely than 2e-16
        assert found["loss"] == pytest.approx(metrics.log_loss(y, p), abs=1e-6)
    z = logits.double()
    others = torch.stack([z[:, torch.arange(classes) != c].logsumexp(1) for c in range(classes)], 1)
    areas = [metrics.roc_auc_score(y == c, (z - others)[:, c].numpy()) for c in range(classes)]
    assert found["roc_auc"] == pytest.approx(np.mean(areas), abs=1e-6)
    assert details["confusion"] == metrics.confusion_matrix(y, guess).tolist()
    each = metrics.precision_recall_fscore_support(y, guess, zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "support"), each, strict=True):
        assert [row[name] for row in details["classes"]] == pytest.approx(list(values), abs=1e-6)
    if classes > 5:
        assert found["top5"] == pytest.approx(metrics.top_k_accuracy_score(y, p, k=5), abs=1e-6)
    else:
        assert "top5" not in found
    if classes > 2 and seed % 3 < 2:  # of the sharpest scores float64 rounds some to 1
        assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(y, p, multi_class="ovr"), abs=1e-6)


def test_what_is_taken_while_training_is_what_a_test_takes() -> None:
    logits, y = samples(7, 1.0)
    brief, whole = while_training(logits, y), judged(logits, y)[0]
    assert tuple(brief) == tuple(Classification.metrics)
    assert brief == pytest.approx({name: whole[name] for name in brief})
    assert brief["loss"] == pytest.approx(nn.functional.cross_entropy(logits, y).item(), rel=1e-5)


def test_a_class_without_samples_is_left_out_of_the_means_as_by_scikit_learn() -> None:
    logits, y = samples(5, 1.0, missing=2)
    logits[:, 2] = -50  # nobody answers it either
    found, details = judged(logits, y)
    assert found["f1"] == pytest.approx(metrics.f1_score(y, logits.argmax(1), average="macro"))
    assert details["classes"][2]["support"] == 0
    areas = [metrics.roc_auc_score(y == c, logits.softmax(1)[:, c]) for c in (0, 1, 3, 4)]
    assert found["roc_auc"] == pytest.approx(np.mean(areas), abs=1e-6)


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    logits, y = samples(4, 3.0)
    p, guess = logits.softmax(1).max(1)
    expected = 0.0
    for low in range(15):
        inside = (p > low / 15) & (p <= (low + 1) / 15)
        if inside.any():
            gap = (p[inside].mean() - (guess[inside] == y[inside]).float().mean()).abs()
            expected += (inside.float().mean() * gap).item()
    assert judged(logits, y)[0]["ece"] == pytest.approx(expected, abs=1e-5)
    assert expected > 0.1, "scores three times too large are too sure"


def test_scores_beyond_what_floats_tell_apart_still_make_a_curve() -> None:
    y = torch.arange(MANY) % 2
    sure = 1000.0 * nn.functional.one_hot(y, 2)
    assert judged(sure, y)[0]["roc_auc"] == 1.0
    assert judged(torch.zeros(MANY, 2), y)[0]["roc_auc"] == 0.5
    assert math.isnan(judged(sure, torch.zeros_like(y))[0]["roc_auc"]), "one class alone has no curve"


def test_a_thousand_classes_have_all_but_the_curve() -> None:
    logits, y = samples(1000, 1.0)
    found, details = judged(logits, y)
    assert "roc_auc" not in found
    assert found["top5"] == pytest.approx(metrics.top_k_accuracy_score(y, logits, k=5, labels=range(1000)))
    assert len(details["confusion"]) == 1000


MILLION = """
import sys
import torch
from nncli.run.answers import Answers
from nncli.run.environment import peak_memory
from nncli.tasks.classification_metrics import everything

classes, count, batch = int(sys.argv[1]), 1_000_000, 1_000
torch.manual_seed(0)
answers = Answers(count)
for _ in range(count // batch):
    y = torch.randint(classes, (batch,))
    answers.add(torch.randn(batch, classes) + 2 * torch.nn.functional.one_hot(y, classes), y)
found, _ = everything(*answers.whole())
print(found["accuracy"], found["roc_auc"], peak_memory() / 2**30)
"""


@pytest.mark.parametrize("classes", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_a_million_answers_stay_under_a_gigabyte(classes: int) -> None:
    done = subprocess.run([sys.executable, "-c", MILLION, str(classes)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    accuracy, area, gigabytes = map(float, done.stdout.split())
    assert 1 / classes < accuracy < area < 1
    assert 0 < gigabytes < 1 or classes > 10, "files that are mapped into memory count where there is room for them"
