"""Training on real pictures, where they are at hand (NN_SHARED_DATA)."""

import csv
import os
from pathlib import Path

import pytest

from nncli.run.fit import fit_words
from nncli.run.folder import RunFolder
from tests.conftest import Nn

# Lightning 2.6 asks torch for tree leaves in the way that torch 2.13 advises against.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")

DATA = os.environ.get("NN_SHARED_DATA", "")


@pytest.mark.skipif(not DATA, reason="NN_SHARED_DATA is not set")
def test_a_narrow_resnet_learns_from_zips_of_cifar_pictures(nn: Nn, tmp_path: Path) -> None:
    words = ["recipe=cifar10_resnet", f"data.root={DATA}/cifar10-jpg", "model.width=8", "trainer.max_steps=30"]
    done = nn("train", *words, "trainer.log_every=5", "trainer.limit_batches=30", "run_dir=r", "-q", timeout=600)
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "r" / "metrics.csv") as f:
        losses = [float(row["train/loss"]) for row in csv.DictReader(f) if row["train/loss"]]
    assert losses[-1] < losses[0] - 0.2


def test_without_the_pictures_or_a_network_the_message_says_what_to_do(nn: Nn, tmp_path: Path) -> None:
    nowhere = {
        "NN_CACHE": str(tmp_path / "cache"),
        "https_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    done = nn("train", "recipe=cifar10_resnet", **nowhere)
    assert done.returncode == 1
    assert "could not be fetched" in done.stderr
    assert "data.root=FOLDER" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def trained(*words: str) -> RunFolder:
    return fit_words([*words, "trainer.accelerator=cpu"], show="quiet")


def right(run: RunFolder) -> float:
    return run.read(run.summary)["metrics"]["test/accuracy"]


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="NN_SHARED_DATA is not set")
def test_a_net_that_saw_mnist_learns_200_other_digits_better_than_a_fresh_one() -> None:
    first = trained("recipe=mnist_resnet", f"data.root={DATA}/mnist")
    assert right(first) > 0.985
    starts = (["model.init_from=" + str(first.path)], ["model=resnet", "model.width=16", "model.init_from=null"])
    tuned, fresh = (
        [right(trained("recipe=finetune_resnet", *start, f"seed={seed}")) for seed in range(5)] for start in starts
    )
    assert sum(tuned) / 5 - sum(fresh) / 5 >= 0.05, (tuned, fresh)


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="NN_SHARED_DATA is not set")
def test_a_student_comes_near_its_teacher_and_beats_itself_alone() -> None:
    mnist = ("data=mnist", f"data.root={DATA}/mnist")
    teacher = trained("recipe=mnist_cnn", mnist[1])
    small = (*mnist, "model=mlp", "model.width=256", "regularization=none", "trainer.max_epochs=8")
    alone = right(trained(*small))
    taught = right(trained(*small, "task=distillation", f"model_teacher.init_from={teacher.path}"))
    assert taught > alone + 0.002, (taught, alone)
    assert right(teacher) - taught <= 0.01, (right(teacher), taught)
