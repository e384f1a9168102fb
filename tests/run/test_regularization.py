"""Against overfitting: what is learned by heart without, and less so with each of what is there."""

import csv
from functools import cache

import pytest

import nncli
from nncli.run.checkpoint import weights
from nncli.run.folder import RunFolder
from tests.run.callbacks.test_averaging import saved, val_loss

# 60 noisy points and 256 hidden units: the right boundary is found at once, then each single point is
MOONS = ["data=moons", "data.size=200", "data.noise=0.4", "data.split.val=0.6", "data.split.test=0.1"]
MOONS += ["data.batch_size=60", "model.width=256", "trainer.max_epochs=150", "trainer.val_every=10"]
SAME = ["trainer.precision=32", "trainer.threads=1", "test=false", "scheduler=constant", "regularization=none"]

# 179 digits in three batches
DIGITS = ["data=digits", "data.split.val=0.5", "data.split.test=0.4", "data.batch_size=59"]
DIGITS += ["model=cnn", "model.channels=[8,16]", "model.hidden=64", "trainer.max_epochs=40", "trainer.val_every=40"]


def fit(*words: str) -> RunFolder:
    return nncli.fit([*SAME, "optimizer.lr=0.01", *words], show="quiet")


def losses(run: RunFolder) -> list[float]:
    with open(run.path / "metrics.csv") as f:
        return [float(row["val/loss"]) for row in csv.DictReader(f) if row["val/loss"]]


@cache
def by_heart() -> float:
    return losses(fit(*MOONS))[-1]


@pytest.mark.parametrize(
    "words",
    [
        "regularization.dropout=0.5",
        "regularization.weight_decay=0.5",
        "optimizer=adam regularization.weight_decay=0.01",
        "regularization.l1=0.003",
        "regularization.label_smoothing=0.2",
        "transform=mixup",
        "transform=noise transform.augment.0.std=0.3",
    ],
)
def test_less_is_learned_by_heart(words: str) -> None:
    found = losses(fit(*MOONS, *words.split()))
    assert found[0] < 0.6, "it learns"
    assert found[-1] < 0.6 * by_heart()


def test_early_stopping_ends_before_and_keeps_the_best_weights() -> None:
    run = fit(*MOONS, "regularization.early_stopping=2", "task.monitor=val/loss")
    summary, found = run.read(run.summary), losses(run)
    assert summary["epochs"] < 150
    assert found[-3] == min(found) < found[-1]
    assert summary["metrics"]["val/loss"] == pytest.approx(min(found))
    assert val_loss(run, weights(saved(run, "best"))) == pytest.approx(min(found), rel=1e-4)
    assert val_loss(run, weights(saved(run))) == pytest.approx(found[-1], rel=1e-4)


@pytest.mark.parametrize("transform", ["cutout", "cutmix", "erase"])
def test_digits_with_holes_and_pieces_of_others_are_learned(transform: str) -> None:
    plain = ["transform.augment.0.padding=0", "transform.augment.0.flip=false"]
    run = fit(*DIGITS, f"transform={transform}", *plain, "optimizer.lr=0.003")
    assert run.read(run.summary)["metrics"]["val/accuracy"] > 0.9
