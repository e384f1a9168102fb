"""Run folders never collide and are found by the names a person types."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nncli.errors import NnError
from nncli.run import folder
from nncli.run.folder import RunFolder, write_atomic
from nncli.run.removal import clean


def started(run: RunFolder, at: float, **more: object) -> RunFolder:
    run.write(run.environment, {"started_at": at, **more})
    write_atomic(run.config, b"name: x\n")
    return run


def test_fifty_runs_started_at_once_get_fifty_folders() -> None:
    with ThreadPoolExecutor(16) as pool:
        runs = list(pool.map(lambda _: folder.make("digits_mlp"), range(50)))
    assert len({run.path for run in runs}) == 50


def test_run_dir_names_the_folder_exactly_and_is_never_overwritten(tmp_path: Path) -> None:
    run = folder.make("x", "here/exactly")
    assert run.path == tmp_path / "here" / "exactly"
    with pytest.raises(NnError, match="not empty"):
        folder.make("x", "here/exactly")


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    with pytest.raises(NnError, match="NN_RUNS"):
        folder.make("x")


def test_last_is_the_newest_run_that_is_no_trial() -> None:
    old = started(folder.make("a"), 1.0)
    new = started(folder.make("b"), 2.0)
    started(folder.make("c"), 3.0, trial=7)
    assert folder.find("last") == new
    for text in (old.name, old.path.name, old.path.name.rsplit("-", 1)[1], str(old.path)):
        assert folder.find(text) == old


def test_an_unknown_name_gets_the_nearest() -> None:
    run = started(folder.make("digits_mlp"), 1.0)
    with pytest.raises(NnError, match=f"Did you mean {run.name}"):
        folder.find(run.name[:-1] + "#")


def test_without_runs_last_says_how_to_start_one() -> None:
    with pytest.raises(NnError, match="nn train"):
        folder.find("last")


def test_a_run_whose_process_died_is_interrupted() -> None:
    run = started(folder.make("a"), 1.0)
    run.write(run.summary, {"status": "running"})
    lock = folder.lock_file(run)
    assert lock is not None
    assert run.status() == "running"
    import os

    os.close(lock)
    assert run.status() == "interrupted"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_worker_that_outlives_its_trainer_does_not_hold_the_run() -> None:
    run = started(folder.make("a"), 1.0)
    ours, its = socket.socketpair()
    with folder.held(run):
        if (worker := os.fork()) == 0:
            its.send(b"alive")
            its.recv(1)  # until it is told
            os._exit(0)
        ours.recv(5)
    try:
        assert not run.is_busy()
    finally:
        ours.send(b"x")
        os.waitpid(worker, 0)
        ours.close()
        its.close()


KEPT = [
    *(".notes.2024.tmp", ".config.yaml.tmp", ".config.yaml.x.tmp", ".model.ckpt.7.tmp", ".last.ckpt.7.tmp"),
    *("checkpoints/.notes.2024.tmp", "checkpoints/.config.yaml.7.tmp", "checkpoints/.mine.ckpt.7.tmp"),
    *("checkpoints/.new-7.ckpt", "checkpoints/.new-mine.ckpt", "checkpoints/last.ckpt.7.tmp", "notes.2024.tmp"),
]
GONE = [
    *(".config.yaml.7.tmp", ".metrics.csv.123.tmp", ".summary.json.1.tmp", ".words.txt.1.tmp", ".error.txt.1.tmp"),
    *("checkpoints/.last.ckpt.7.tmp", "checkpoints/..new-000000009.ckpt.7.tmp", "checkpoints/.new-000000009.ckpt"),
]


def test_of_what_is_half_written_only_what_nn_writes_is_removed(tmp_path: Path) -> None:
    run = folder.make("x", str(tmp_path / "r"))
    for name in (*KEPT, *GONE):
        (run.path / name).write_text("mine")
    clean(run)
    assert {name for name in (*KEPT, *GONE) if (run.path / name).exists()} == set(KEPT)
