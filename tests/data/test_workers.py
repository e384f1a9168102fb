"""Batches that worker processes decode: the same samples in the same order, and no process left behind."""

import os
import signal
import time
from itertools import chain
from pathlib import Path
from threading import Timer

import pytest
import torch
from torch import Tensor

from nncli.data.batches import Batches
from nncli.data.rows import Rows
from nncli.errors import TrainingFailed

COUNT = 60


class Slow(Rows):
    """Rows that take a while and say which process took them."""

    decodes = True

    def __init__(self, notes: Path | None = None, seconds: float = 0.02) -> None:
        self.notes, self.seconds = notes, seconds

    def __len__(self) -> int:
        return COUNT

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        if self.notes:
            (self.notes / str(os.getpid())).touch()
            time.sleep(self.seconds)
        return rows[:, None].float(), rows.clone()

    @property
    def nbytes(self) -> int:
        return COUNT


def seen(batches: Batches, epochs: int = 1) -> list[list[int]]:
    return [y.tolist() for _ in range(epochs) for _, y in batches]


def cut(workers: int, rank: int = 0, world: int = 1, rows: Rows | None = None) -> Batches:
    return Batches(rows or Slow(), 8, shuffle=True, seed=5, rank=rank, world=world, workers=workers)


@pytest.mark.parametrize("world", [1, 2])
def test_two_epochs_are_the_same_with_any_number_of_workers(world: int) -> None:
    order = [Batches(Slow(), 8, shuffle=True, seed=5).order(epoch) for epoch in range(2)]
    steps = [o[low : low + 8].tolist() for o in order for low in range(0, 56, 8)]
    for workers in (0, 1, 2):
        ranks = [seen(cut(workers, rank, world), epochs=2) for rank in range(world)]
        assert [[*chain(*parts)] for parts in zip(*ranks, strict=True)] == steps, f"{workers} workers"


@pytest.mark.parametrize("workers", [1, 2])
def test_resume_inside_an_epoch_goes_on_with_the_same_samples(workers: int) -> None:
    whole = seen(cut(0), epochs=2)
    again = cut(workers)
    again.start = (0, 3)
    assert seen(again, epochs=2) == whole[3:]


def test_workers_draw_nothing_from_the_random_state_that_a_resume_puts_back() -> None:
    before = torch.get_rng_state()
    seen(cut(1))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_killed_worker_ends_it_in_time_and_leaves_no_process(tmp_path: Path) -> None:
    batches = iter(cut(2, rows=Slow(tmp_path, seconds=0.3)))
    next(batches)
    while len(workers := [int(path.name) for path in tmp_path.iterdir()]) < 2:
        time.sleep(0.01)
    assert os.getpid() not in workers
    began = time.monotonic()
    # later, while a batch is waited for: torch tells the death wherever the main thread is
    Timer(0.1, os.kill, (workers[0], signal.SIGKILL)).start()
    with pytest.raises(TrainingFailed, match=r"a worker process that decodes data was killed.*nn resume"):
        list(batches)
    assert time.monotonic() - began < 10
    del batches
    while any(alive(worker) for worker in workers):
        assert time.monotonic() - began < 10, "a worker is left"
        time.sleep(0.05)


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_stopped_worker_is_given_up_and_leaves_no_process(tmp_path: Path, epochs: int) -> None:
    loader = Batches(Slow(tmp_path, 0.05), 8, shuffle=True, seed=5, workers=2, patience=1.0)
    batches = chain.from_iterable(loader for _ in range(4))
    for _ in range(7 * (epochs - 1) + 1):  # where the second epoch starts, workers are asked whether they are there
        next(batches)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    os.kill(workers[0], signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(TrainingFailed, match=r"was stopped \(SIGSTOP\) and did not continue; trainer.timeout is 1 s"):
        for _ in batches:
            pass
    assert time.monotonic() - began < 30
    until = time.monotonic() + 10
    while any(map(alive, workers)):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_workers_end_with_the_process_that_made_them(tmp_path: Path) -> None:
    if (child := os.fork()) == 0:
        batches = iter(cut(1, rows=Slow(tmp_path)))
        next(batches)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (worker,) = (int(path.name) for path in tmp_path.iterdir())
    began = time.monotonic()
    while alive(worker):
        assert time.monotonic() - began < 20, "the worker lives on"
        time.sleep(0.1)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
