"""Training on real pictures, where they are at hand (NN_SHARED_DATA)."""

import csv
import os
from pathlib import Path

import pytest

from tests.conftest import Nn

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
