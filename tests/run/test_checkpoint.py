"""A checkpoint is whole or not there, and reading one runs no code."""

import os
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from nncli.errors import CheckpointError, TrainingFailed
from nncli.run.checkpoint import load, newest, point, save, verify

STATE = {"state_dict": {"w": torch.arange(2000.0)}, "nncli": {"step": 3, "latest": {"val/loss": 0.5}}}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    save(STATE, tmp_path / "a.ckpt")
    found = load(tmp_path / "a.ckpt")
    assert torch.equal(found["state_dict"]["w"], STATE["state_dict"]["w"])
    assert found["nncli"] == STATE["nncli"]


def test_every_flipped_bit_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    save(STATE, path)
    whole = path.read_bytes()
    dice = random.Random(0)
    for _ in range(200):
        broken = bytearray(whole)
        broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
        path.write_bytes(broken)
        with pytest.raises(CheckpointError, match=r"a\.ckpt is corrupt"):
            load(path)


def test_every_cut_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    save(STATE, path)
    whole = path.read_bytes()
    for size in [0, 1, 39, 40, 41, *range(100, len(whole), 997), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError):
            verify(path)


class Bomb:
    """Pickles as a call that would write the canary file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.canary}",)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_would_run_code_is_refused_with_a_right_digest(tmp_path: Path, protocol: int) -> None:
    canary = tmp_path / "canary"
    save({"state_dict": {}, "bomb": Bomb(canary)}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="refused"):
        load(tmp_path / "a.ckpt")
    import hashlib

    body = pickle.dumps({"state_dict": {}, "bomb": Bomb(canary)}, protocol=protocol)
    (tmp_path / "b.ckpt").write_bytes(body + b"NNCKPT01" + hashlib.sha256(body).digest())
    with pytest.raises(CheckpointError, match="refused"):
        load(tmp_path / "b.ckpt")
    assert not canary.exists()


def test_a_broken_last_falls_back_to_the_older_and_says_so(tmp_path: Path) -> None:
    save(STATE, tmp_path / "step-000000003.ckpt")
    save(STATE, tmp_path / "step-000000007.ckpt")
    save(STATE, tmp_path / "last.ckpt")
    with open(tmp_path / "last.ckpt", "r+b") as f:
        f.seek(500)
        f.write(b"\xff\x00\xff")
    said: list[str] = []
    assert newest(tmp_path, said.append) == tmp_path / "step-000000007.ckpt"
    assert "last.ckpt is corrupt" in said[0]


def test_a_failed_write_leaves_the_earlier_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    save(STATE, path)
    before = path.read_bytes()

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingFailed, match="the disk is full"):
        save(STATE, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def test_point_replaces_in_one_step_also_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("new")
    (tmp_path / "b").write_text("old")

    def refuse(*args: Any) -> None:
        raise OSError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    point(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "new"


def test_where_every_one_is_broken_that_is_said_and_how_to_start_over(tmp_path: Path) -> None:
    folder = tmp_path / "r" / "checkpoints"
    folder.mkdir(parents=True)
    assert newest(folder, print) is None  # there never was one
    for name in ("last.ckpt", "best.ckpt", "step-000000003.ckpt"):
        (folder / name).write_bytes(b"broken")
    said: list[str] = []
    with pytest.raises(CheckpointError, match=r"all 3 checkpoints .* nn train recipe=r/config\.yaml"):
        newest(folder, said.append)
    assert len(said) == 3
