"""Two gloo ranks on a CPU train as one does, and end together."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from nncli.run.checkpoint import load
from nncli.run.eval import judged
from nncli.run.fit import fit_words
from tests.conftest import Nn
from tests.run.ranks import forked as forked
from tests.run.test_resume import assert_equal_runs, rows

TWO = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]


def test_two_ranks_learn_what_one_learns(nn: Nn, tmp_path: Path) -> None:
    words = ["recipe=digits_mlp", "regularization=none", "trainer.precision=32", "trainer.max_steps=50"]
    assert nn("train", *words, "trainer.accelerator=cpu", "run_dir=one", "-q").returncode == 0
    done = nn("train", *words, *TWO, "run_dir=two", "-q")
    assert done.returncode == 0, done.stderr
    a, b = (load(tmp_path / run / "checkpoints" / "last.ckpt")["state_dict"] for run in ("one", "two"))
    assert max((a[k].double() - b[k].double()).abs().max().item() for k in a) < 1e-5
    assert {p.name for p in tmp_path.iterdir()} == {"one", "two"}
    assert [r["step"] for r in rows(tmp_path / "one")] == [r["step"] for r in rows(tmp_path / "two")]
    one, two = (json.loads((tmp_path / run / "summary.json").read_text())["metrics"] for run in ("one", "two"))
    assert one["val/accuracy"] == pytest.approx(two["val/accuracy"])


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("words", ["trainer=ddp", "trainer=ddp regularization.ema=0.9", "trainer=fsdp"])
def test_what_ranks_measure_is_what_the_saved_weights_are_worth(words: str) -> None:
    """Batch normalization keeps statistics, of other samples on each rank."""
    net = ["model=resnet", "model.form=cifar", "model.width=4", "data.batch_size=64", "trainer.precision=32"]
    place = ["trainer.accelerator=cpu", "trainer.devices=2", "trainer.threads=1", "trainer.max_epochs=1"]
    run = fit_words([*net, *words.split(), *place], show="quiet")
    measured = json.loads(run.summary.read_text())["metrics"]
    for part in ("val", "test"):
        found = judged([run], ["trainer.devices=1"], part=part, which="best")["metrics"]
        assert found[f"{part}/loss"] == pytest.approx(measured[f"{part}/loss"], abs=1e-5)
        assert found[f"{part}/accuracy"] == pytest.approx(measured[f"{part}/accuracy"])


def start(folder: Path, *words: str, rows_before: int = 0) -> "subprocess.Popen[str]":
    """A run that has written a few rows more than there were."""
    command = [sys.executable, "-m", "nncli", *words]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    metrics = folder / "r" / "metrics.csv"
    while not metrics.exists() or len(metrics.read_text().splitlines()) < rows_before + 5:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process


def ranks_of(folder: Path) -> list[int]:
    """The processes that train in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"nncli.run.processes.rank" in line and str(folder / "r").encode() in line:
                found.append(int(entry.name))
    return sorted(found)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_stopped_by_a_signal_then_killed_in_one_rank_it_ends_in_both_and_resumes_exactly(
    nn: Nn, tmp_path: Path
) -> None:
    words = ["trainer.max_epochs=20", "trainer.log_every=5", "checkpoint.every_n_steps=20"]
    words += ["regularization.dropout=0.2"]
    process = start(tmp_path, "train", *TWO, *words, "run_dir=r")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 143, said
    before = len(rows(tmp_path / "r"))
    process = start(tmp_path, "resume", "r", rows_before=before)
    ranks = ranks_of(tmp_path)
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
    began = time.monotonic()
    _, said = process.communicate(timeout=30)
    assert time.monotonic() - began < 30
    assert process.returncode == 3
    assert "signal 9" in said
    assert "Traceback" not in said
    assert ranks_of(tmp_path) == []
    assert json.loads((tmp_path / "r" / "summary.json").read_text())["status"].startswith("failed: rank")
    assert nn("resume", "r", "-q").returncode == 0
    assert nn("train", *TWO, *words, "run_dir=whole", "-q").returncode == 0
    assert_equal_runs(tmp_path / "whole", tmp_path / "r")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_killing_the_parent_leaves_no_orphan(tmp_path: Path) -> None:
    process = start(tmp_path, "train", *TWO, "trainer.max_epochs=500", "trainer.log_every=5", "run_dir=r")
    process.kill()
    process.communicate()
    until = time.monotonic() + 15
    while ranks_of(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)
    assert ranks_of(tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("which", [(0, 1), (1,), (0,)], ids=["both", "second", "first"])
def test_ranks_that_stop_answering_end_the_run_in_time(nn: Nn, tmp_path: Path, which: tuple[int, ...]) -> None:
    words = ["trainer.max_epochs=30", "trainer.log_every=5", "checkpoint.every_n_steps=20", "trainer.timeout=8"]
    process = start(tmp_path, "train", *TWO, *words, "run_dir=r")
    ranks = ranks_of(tmp_path)
    for i in which:
        os.kill(ranks[i], signal.SIGSTOP)
    began = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert 5 < time.monotonic() - began < 40
    assert process.returncode == 3, said
    assert "was stopped (SIGSTOP) and did not continue; trainer.timeout is 8 s" in said
    assert "Traceback" not in said
    assert ranks_of(tmp_path) == []
    assert nn("resume", "r", "-q").returncode == 0


def test_a_batch_that_does_not_divide_is_told_before_anything_starts(nn: Nn, tmp_path: Path) -> None:
    done = nn("train", *TWO, "data.batch_size=33")
    assert done.returncode == 1
    assert "data.batch_size" in done.stderr + done.stdout
    assert list(tmp_path.iterdir()) == []


def test_under_torchrun_there_is_one_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = ["-m", "nncli", "train", "trainer.accelerator=cpu", "trainer=ddp", "trainer.max_steps=20"]
    env = os.environ | {"NN_RUNS": str(tmp_path / "runs")}
    done = subprocess.run([*command, *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    summaries = list((tmp_path / "runs").rglob("summary.json"))
    assert len(summaries) == 1
    assert json.loads(summaries[0].read_text())["steps"] == 20
    longer = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    longer += ["-m", "nncli", "resume", "last", "trainer.max_steps=30"]
    done = subprocess.run(longer, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(summaries[0].read_text())["steps"] == 30
    assert torch.isfinite(torch.tensor(json.loads(summaries[0].read_text())["metrics"]["val/loss"]))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_under_torchrun_a_stopped_rank_ends_all_in_time(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = ["-m", "nncli", "train", "trainer.accelerator=cpu", "trainer=ddp", "trainer.max_epochs=500", "run_dir=r"]
    process = subprocess.Popen([*command, *words, "trainer.timeout=8", "trainer.log_every=5"], cwd=tmp_path)
    metrics = tmp_path / "r" / "metrics.csv"
    while not metrics.exists() or len(metrics.read_text().splitlines()) < 5:
        assert process.poll() is None
        time.sleep(0.01)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[1]), signal.SIGSTOP)
    assert process.wait(timeout=90) != 0
    assert all(not Path(f"/proc/{pid}").exists() for pid in children)
