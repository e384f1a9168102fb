"""Faults while a run is made: what a person may rely on afterwards."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nncli.cli.main import main
from nncli.run import checkpoint
from nncli.run import train as training
from nncli.run.checkpoint import load, newest, save
from tests.conftest import Nn
from tests.run.test_resume import assert_equal_runs

LARGE = "model.width=512"  # a checkpoint of about 4 MB


def forked(action: Callable[[], object], said: Path) -> int:
    """Do it in a process that is forked here; its exit code. What it says is in the file."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code: object = 98
    try:
        for stream in (1, 2):
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        action()
        code = 0
    except SystemExit as left:
        code = left.code
    finally:
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def die_at(call: str, count: int, folder: Path) -> None:
    """In this process: save a checkpoint and die, as kill -9 does, at the count-th use of an os function."""
    seen = 0
    real = getattr(os, call)

    def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == count:
            os._exit(9)
        return real(*args, **kwargs)

    setattr(checkpoint.os, call, deadly)
    save({"state_dict": {"w": torch.full((1000,), 2.0)}}, folder / "last.ckpt")


@pytest.mark.parametrize("call", ["fsync", "replace", "open", "fstat"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_kill_while_saving_leaves_the_old_or_the_new_one(tmp_path: Path, call: str, count: int) -> None:
    save({"state_dict": {"w": torch.full((1000,), 1.0)}}, tmp_path / "last.ckpt")
    forked(lambda: die_at(call, count, tmp_path), tmp_path / "said")
    found = newest(tmp_path, print)
    assert found is not None
    assert load(found)["state_dict"]["w"].unique().tolist() in ([1.0], [2.0])


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small filesystem")
def test_a_full_disk_ends_the_run_and_keeps_the_earlier_checkpoint(nn: Nn, tmp_path: Path) -> None:
    """In a mount namespace of its own: 12 MB for a run whose checkpoints are about 4 MB each, three at a time."""
    script = f"""
    set -e
    mount -t tmpfs -o size=12m none {tmp_path}/disk
    cd {tmp_path}
    nn="{sys.executable} -m nncli"
    words="{LARGE} trainer.max_epochs=3 trainer.precision=32 checkpoint.every_n_steps=30 checkpoint.keep=1"
    head -c 2500000 /dev/zero > disk/filler
    set +e
    $nn train $words run_dir=disk/run -q 2> said; echo $? > code
    ls -A disk/run/checkpoints > left
    cp -r disk/run copy
    rm disk/filler
    umount disk && mount -t tmpfs -o size=64m none disk && cp -r copy disk/run
    $nn resume disk/run -q 2>> said; echo $? >> code
    cp -r disk/run done
    """
    (tmp_path / "disk").mkdir()
    started = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    if not (tmp_path / "code").exists():
        pytest.skip(f"cannot mount here: {started.stderr}")
    said = (tmp_path / "said").read_text()
    assert (tmp_path / "code").read_text().split() == ["3", "0"], said
    assert "the disk is full" in said
    assert "Traceback" not in said
    left = (tmp_path / "left").read_text().split()
    assert "last.ckpt" in left
    assert not [name for name in left if name.startswith(".")]
    load(tmp_path / "copy" / "checkpoints" / "last.ckpt")
    assert nn("train", LARGE, "trainer.max_epochs=3", "trainer.precision=32", "run_dir=whole", "-q").returncode == 0
    assert_equal_runs(tmp_path / "whole", tmp_path / "done")


def test_nan_stops_before_the_weights_are_touched_and_names_where(nn: Nn, tmp_path: Path) -> None:
    done = nn("train", "optimizer=sgd", "optimizer.lr=1e30", "trainer.precision=32", "run_dir=r")
    assert done.returncode == 3
    assert "step" in done.stderr
    assert "Traceback" not in done.stderr
    summary = json.loads((tmp_path / "r" / "summary.json").read_text())
    assert summary["status"].startswith("failed: the loss became")
    best = tmp_path / "r" / "checkpoints" / "best.ckpt"
    assert not best.exists() or all(torch.isfinite(w).all() for w in load(best)["state_dict"].values())


NET = '''
"""A net that overflows in its middle layer from the 30th batch on."""
import torch
from torch import Tensor, nn


class Overflow(nn.Module):
    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 8), nn.Linear(8, num_outputs)
        self.middle = Middle()

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.middle(self.first(x.flatten(1))))


class Middle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        return x / (0.0 if self.training and self.calls > 30 else 1.0)
'''


@pytest.mark.parametrize("eager", [True, False], ids=["looked-at-every-step", "flag-and-replay"])
def test_the_layer_where_it_began_is_named(tmp_path: Path, eager: bool) -> None:
    (tmp_path / "overflow.py").write_text(NET)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "overflow.yaml").write_text(
        "# overflows\n_target_: overflow.Overflow\nnum_outputs: ${data.num_classes}\n"
    )

    def train() -> None:
        if not eager:  # what a GPU does, on a CPU
            real = training.Watch
            training.Watch = lambda every, eager: real(every, eager=every == 1)
            training.LOOKS_AT_ONCE = ()
        sys.argv = ["nn", "train", "model=overflow", "trainer.precision=32", "run_dir=r", "--trust", "overflow"]
        sys.path.insert(0, str(tmp_path))
        main()

    said = tmp_path / "said"
    assert forked(train, said) == 3, said.read_text()
    assert "began in layer net.middle (Middle)" in said.read_text()
    assert "step 30" in said.read_text()


def test_a_read_only_place_is_refused_before_training(nn: Nn, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = nn("train", "run_dir=file/run")
    assert done.returncode == 1
    assert "cannot be created" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_processes_do_not_train_one_run(nn: Nn, tmp_path: Path) -> None:
    from nncli.run.folder import RunFolder, lock_file

    assert nn("train", "trainer=fast", "run_dir=r", "-q").returncode == 0
    lock = lock_file(RunFolder(tmp_path / "r"))
    assert lock is not None
    done = nn("resume", "r", "trainer.max_epochs=3")
    os.close(lock)
    assert done.returncode == 1
    assert "being trained by another process" in done.stderr


def test_a_crafted_checkpoint_in_a_run_is_refused_by_every_verb(nn: Nn, tmp_path: Path) -> None:
    from tests.run.test_checkpoint import Bomb

    assert nn("train", "trainer=fast", "run_dir=r", "-q").returncode == 0
    canary = tmp_path / "canary"
    for name in ("last", "best"):
        save({"state_dict": {}, "bomb": Bomb(canary)}, tmp_path / "r" / "checkpoints" / f"{name}.ckpt")
    for words in (["resume", "r", "trainer.max_epochs=2"], ["eval", "r"], ["eval", "r", "--which", "last"]):
        done = nn(*words)
        assert done.returncode == 1, words
        assert "refused" in done.stderr
    assert not canary.exists()
    shutil.rmtree(tmp_path / "r")
