"""A run that was killed or stopped ends as one that never was."""

import csv
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from nncli.run.checkpoint import load
from tests.conftest import Begin, Nn

# dropout, shuffling, EMA, clipping and a schedule: everything that has a state
WORDS = [
    "model.width=256",
    "regularization.dropout=0.2",
    "regularization.ema=0.99",
    "regularization.grad_clip=1.0",
    "trainer.max_epochs=12",
    "trainer.log_every=5",
    "trainer.precision=32",
]


def rows(run: Path) -> list[dict[str, str]]:
    """metrics.csv without its times."""
    with open(run / "metrics.csv") as f:
        found = list(csv.DictReader(f))
    return [{k: v for k, v in row.items() if k not in ("time_s", "samples_per_s")} for row in found]


def differences(a: Any, b: Any, where: str = "") -> list[str]:
    if isinstance(a, torch.Tensor):
        return [] if torch.equal(a, b) else [where]
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        return [d for k in a for d in differences(a[k], b[k], f"{where}/{k}")]
    if isinstance(a, list | tuple):
        assert len(a) == len(b)
        return [d for i, (u, v) in enumerate(zip(a, b, strict=True)) for d in differences(u, v, f"{where}/{i}")]
    return [] if a == b else [f"{where}: {a} and {b}"]


def assert_equal_runs(one: Path, other: Path) -> None:
    for file in ("last.ckpt", "best.ckpt"):
        a, b = load(one / "checkpoints" / file), load(other / "checkpoints" / file)
        for part in ("state_dict", "average", "optimizer_states", "lr_schedulers"):
            assert not differences(a.get(part), b.get(part), f"{file}/{part}")
    a, b = (load(run / "checkpoints" / "last.ckpt")["nncli"]["ranks"] for run in (one, other))
    assert not differences(a, b)
    assert rows(one) == rows(other)


def kill_and_resume(begin: Begin, folder: Path, kills: int, seed: int, words: list[str]) -> int:
    """Start, kill -9 at random moments, resume; the number of kills that hit a living process."""
    dice, hits = random.Random(seed), 0
    command = ["train", *words, "run_dir=cut", "-q"]
    for _ in range(kills):
        process = begin(*command)
        command = ["resume", "cut", "-q"]
        started = time.monotonic()
        while process.poll() is None and not (folder / "cut" / "metrics.csv").exists():
            time.sleep(0.01)
        while process.poll() is None and time.monotonic() - started < 0.1 + dice.random():
            time.sleep(0.005)
        hits += process.poll() is None
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert begin(*command).wait() == 0
    return hits


def test_killed_three_times_equals_uninterrupted(nn: Nn, begin: Begin, tmp_path: Path) -> None:
    words = [*WORDS, "checkpoint.every_n_steps=7"]
    assert nn("train", *words, "run_dir=whole", "-q").returncode == 0
    assert kill_and_resume(begin, tmp_path, 3, 1, words) >= 1
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.slow
def test_killed_ten_times_equals_uninterrupted(nn: Nn, begin: Begin, tmp_path: Path) -> None:
    words = [*WORDS, "checkpoint.every_n_steps=3", "model.width=1024", "trainer.max_epochs=20"]
    assert nn("train", *words, "run_dir=whole", "-q").returncode == 0
    assert kill_and_resume(begin, tmp_path, 10, 2, words) >= 5
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_signal_saves_and_exits_with_its_code_and_resume_is_exact(
    nn: Nn, begin: Begin, tmp_path: Path, signum: signal.Signals
) -> None:
    assert nn("train", *WORDS, "run_dir=whole", "-q").returncode == 0
    process = begin("train", *WORDS, "run_dir=cut")
    while not (tmp_path / "cut" / "metrics.csv").exists() or len(rows(tmp_path / "cut")) < 9:
        assert process.poll() is None
        time.sleep(0.002)
    os.kill(process.pid, signum)
    assert process.wait() == 128 + signum
    assert "Traceback" not in (tmp_path / "said").read_text()
    assert '"status": "stopped"' in (tmp_path / "cut" / "summary.json").read_text()
    assert nn("resume", "cut", "-q").returncode == 0
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


def test_training_longer_stretches_the_schedule_and_says_so(nn: Nn, tmp_path: Path) -> None:
    assert nn("train", "run_dir=r", "trainer.max_epochs=2", "-q").returncode == 0
    done = nn("resume", "r", "trainer.max_epochs=4")
    assert done.returncode == 0
    assert "the schedule now ends at step" in done.stdout
    assert "lr was" in done.stdout
    assert [row["epoch"] for row in rows(tmp_path / "r") if row["val/loss"]] == ["0", "1", "2", "3"]


def test_words_that_would_change_what_is_learned_are_refused(nn: Nn, tmp_path: Path) -> None:
    assert nn("train", "run_dir=r", "trainer=fast", "-q").returncode == 0
    before = {p: p.read_bytes() for p in (tmp_path / "r").rglob("*") if p.is_file()}
    done = nn("resume", "r", "optimizer.lr=1")
    assert done.returncode == 1
    assert "optimizer.lr" in done.stderr + done.stdout
    assert "start a new run" in (done.stderr + done.stdout).replace("\n", " ")
    assert before == {p: p.read_bytes() for p in (tmp_path / "r").rglob("*") if p.is_file()}


def test_an_end_that_the_run_has_passed_is_refused(nn: Nn) -> None:
    assert nn("train", "run_dir=r", "trainer.max_epochs=3", "trainer.limit_batches=2", "-q").returncode == 0
    done = nn("resume", "r", "trainer.max_epochs=2")
    assert done.returncode == 1
    assert "the run has already reached 3" in done.stderr


def test_a_frozen_config_is_a_recipe_that_repeats_the_run(nn: Nn, tmp_path: Path) -> None:
    assert nn("train", "run_dir=a", "trainer.max_epochs=2", "seed=3", "-q").returncode == 0
    assert nn("train", "recipe=a/config.yaml", "run_dir=b", "-q").returncode == 0
    assert_equal_runs(tmp_path / "a", tmp_path / "b")
    assert nn("train", "recipe=a/config.yaml", "run_dir=c", "seed=4", "-q").returncode == 0
    assert rows(tmp_path / "a") != rows(tmp_path / "c")


def test_a_flipped_bit_in_last_falls_back_and_still_ends_equal(nn: Nn, tmp_path: Path) -> None:
    words = ["trainer.max_epochs=3", "checkpoint.every_n_steps=20"]
    assert nn("train", *words, "run_dir=whole", "-q").returncode == 0
    assert nn("train", *words, "run_dir=cut", "-q").returncode == 0
    last = tmp_path / "cut" / "checkpoints" / "last.ckpt"
    broken = bytearray(last.read_bytes())
    broken[len(broken) // 2] ^= 4
    last.write_bytes(broken)
    (tmp_path / "cut" / "summary.json").unlink()
    done = nn("resume", "cut")
    assert done.returncode == 0
    assert "last.ckpt is corrupt" in done.stderr
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")
