"""One study, many programs: each slot is trained once, whoever dies."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from optuna import samplers

from nncli.sweep.space import space
from nncli.sweep.study import Study

SPACE = ["recipe=digits_mlp", "model.width=1,2,3", "optimizer.lr=interval(0,1)"]
PROGRAM = f"""
import sys, time
from optuna import samplers
from nncli.sweep.space import space
from nncli.sweep.study import Study
study = Study("one", sys.argv[1], ["maximize"], lambda slot: samplers.RandomSampler(seed=slot), None)
study.open(int(sys.argv[2]))
study.beat()
while claimed := study.claim(space({SPACE!r})):
    print(claimed.slot, flush=True)
    time.sleep(float(sys.argv[3]))
    study.end(claimed, [claimed.picked["optimizer.lr"]])
"""


def opened(url: str) -> Study:
    return Study("one", url, ["maximize"], lambda slot: samplers.RandomSampler(seed=slot), None)


@contextmanager
def programs(count: int, url: str, total: int, seconds: float = 0.0) -> Iterator[list["subprocess.Popen[str]"]]:
    """Programs that share a study, which have begun; they end with the block."""
    words = [sys.executable, "-c", PROGRAM, url, str(total), str(seconds)]
    with ExitStack() as stack:
        every = []
        for _ in range(count):
            one = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            every.append(stack.enter_context(one))
            stack.callback(one.kill)  # before its pipes are closed
        yield every


def ended(one: "subprocess.Popen[str]") -> list[int]:
    """The slots that a program has claimed, when it has ended."""
    out, err = one.communicate(timeout=1200)
    assert one.returncode == 0, err
    return [int(line) for line in out.split()]


def together(url: str, count: int, total: int) -> None:
    """Programs that share a study claim each slot once."""
    with programs(count, url, total) as every:
        assert sorted(slot for one in every for slot in ended(one)) == list(range(total))
    study = opened(url)
    assert len(study.trials()) == total, "slots were queued twice"
    slots = study.slots()
    assert list(slots) == list(range(total))
    assert {one.state.name for one in slots.values()} == {"COMPLETE"}


def test_programs_that_share_a_file_train_each_slot_once() -> None:
    together("study.log", 4, 40)


@pytest.mark.slow
def test_eight_programs_and_two_hundred_slots_in_a_file() -> None:
    together("study.log", 8, 200)


def test_the_slot_of_a_killed_program_is_trained_again_with_the_same_values() -> None:
    with programs(1, "study.log", 3, seconds=600) as (dead,):
        assert dead.stdout is not None
        assert dead.stdout.readline() == "0\n"
        before = opened("study.log").slots()[0].params
    study = opened("study.log")
    study.beat()
    assert study.adopt() == 1
    claimed = study.claim(space(SPACE))
    assert claimed is not None
    assert (claimed.slot, claimed.picked) == (0, before)
    study.end(claimed, [1.0])
    assert {slot: one.state.name for slot, one in study.slots().items()} == {0: "COMPLETE", 1: "WAITING", 2: "WAITING"}


def test_a_slot_is_tried_as_often_as_allowed_and_then_failed() -> None:
    study = opened("study.log")
    study.open(1)
    for again in (True, True, False):
        claimed = study.claim(space(SPACE))
        assert claimed is not None
        assert study.lose(claimed, retries=2) is again
    assert study.claim(space(SPACE)) is None
    (slot,) = study.slots().values()
    assert (slot.state.name, slot.user_attrs["why"]) == ("FAIL", "its worker died")


def test_a_sweep_that_grows_draws_other_values() -> None:
    first = opened("study.log")
    first.open(2)
    for _ in range(2):
        claimed = first.claim(space(SPACE))
        assert claimed is not None
        first.end(claimed, [0.0])
    second = opened("study.log")
    second.open(4)
    while claimed := second.claim(space(SPACE)):
        second.end(claimed, [0.0])
    rates = [one.params["optimizer.lr"] for one in second.slots().values()]
    assert len(set(rates)) == 4


class Server:
    """PostgreSQL in a folder of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.folder, self.port = folder, port
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"

    def run(self, program: str, *words: str) -> None:
        command = [str(self.binaries / program), "-D", str(self.folder), *words]
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        subprocess.run([*user, *command], check=True, stdout=subprocess.DEVNULL, timeout=300, cwd="/")

    def start(self) -> None:
        options = f"-c port={self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        self.run("pg_ctl", "-w", "-l", f"{self.folder}/log", "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-w", "-m", "immediate", "stop")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pytest.importorskip("psycopg")
    if not list(Path("/usr/lib/postgresql").glob("*/bin")):
        pytest.skip("PostgreSQL is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    one = Server(folder, port)
    one.run("initdb", "-A", "trust", "-U", "postgres")
    one.start()
    try:
        yield one
    finally:
        one.stop()
        shutil.rmtree(folder)


def test_programs_that_share_postgresql_train_each_slot_once(server: Server) -> None:
    together(server.url, 3, 20)


@pytest.mark.slow
def test_eight_programs_and_two_hundred_slots_in_postgresql(server: Server) -> None:
    together(server.url, 8, 200)


@pytest.mark.slow
def test_programs_wait_for_postgresql_and_go_on(server: Server) -> None:
    opened(server.url).open(30)
    with programs(2, server.url, 30, 0.5) as every:
        for one in every:
            assert one.stdout is not None
            one.stdout.readline()
        server.stop()
        time.sleep(20)
        server.start()
        for one in every:
            ended(one)
    slots = opened(server.url).slots()
    assert {one.state.name for one in slots.values()} == {"COMPLETE"}
    assert len(slots) == 30
