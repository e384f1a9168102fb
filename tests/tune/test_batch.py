"""The batch finder: what it tries, what it only predicts, and that running out of memory ends nothing."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from typer.testing import CliRunner

from nncli.cli.main import app
from nncli.data.files.memory import free_memory
from nncli.errors import NnError
from nncli.tasks.classification import Classification
from nncli.tune import batch_memory
from nncli.tune.batch import Row, find, predicted, sizes, steps_for
from nncli.tune.batch_memory import Prober, Step, gradients, serve
from tests.tasks.parts import made

MB = 10**6


class Machine:
    """A step takes `base` bytes and `each` more a sample; its speed levels off. Beyond `dies` there is no answer."""

    def __init__(self, base: int, each: int, dies: int = 1 << 40, level: float = 1e5) -> None:
        self.base, self.each, self.dies, self.level = base, each, dies, level
        self.tried: list[int] = []

    def __call__(self, size: int, steps: int) -> Step | None:
        self.tried.append(size)
        if size >= self.dies:
            return None
        return Step(self.base + self.each * size, min(self.level, 1000.0 * size))


def test_what_is_predicted_to_be_too_much_is_not_tried() -> None:
    machine = Machine(100 * MB, 5 * MB)
    found = find(machine, 1, 100_000, 1000 * MB)
    assert found.largest == 128  # 740 MB; 256 would take 1380
    assert max(machine.tried) == 128
    assert found.rows[-1] == Row(256, 1380 * MB, None, "predicted")


def test_names_the_smallest_that_is_about_as_fast() -> None:
    found = find(Machine(0, 1), 1, 4000, 1000 * MB)
    assert (found.largest, found.fast) == (2048, 128)  # 1000 samples/s a sample, level at 100,000


def test_a_size_that_kills_the_process_is_too_large() -> None:
    found = find(Machine(0, 1, dies=64), 1, 4000, 1000 * MB)
    assert found.rows[-1].state == "too large"
    assert (found.largest, found.fast) == (32, 32)


def test_goes_down_where_the_first_size_is_too_much() -> None:
    machine = Machine(0, 100 * MB)
    assert find(machine, 1, 4000, 450 * MB).largest == 4
    assert machine.tried[:2] == [8, 4]
    with pytest.raises(NnError, match=r"data.batch_size=1 takes more than the limit of 50 MB.*--memory-share"):
        find(Machine(0, 100 * MB), 1, 4000, 50 * MB)
    with pytest.raises(NnError, match=r"data\.batch_size=8 takes more"):
        find(Machine(0, 1, dies=1), 1, 4000, 50 * MB)


def test_sizes_divide_among_devices_and_micro_batches_and_end_with_the_training_part() -> None:
    assert sizes(1, 100) == [1, 2, 4, 8, 16, 32, 64]
    assert sizes(6, 100) == [6, 12, 24, 48, 96]
    assert find(Machine(0, 1), 6, 100, MB).rows[0].size == 24  # four samples each, then eight
    with pytest.raises(NnError, match="has 4 samples, fewer than devices"):
        sizes(6, 4)


def test_a_size_that_would_take_minutes_is_predicted() -> None:
    machine = Machine(0, MB, level=10.0)
    found = find(machine, 1, 5000, 1 << 40)
    assert max(machine.tried) <= 64
    assert found.rows[-1] == Row(4096, 4096 * MB, None, "predicted")
    assert (found.largest, found.fast) == (4096, 4)


def test_the_line_is_the_steepest_of_late_and_never_falls() -> None:
    rows = [Row(8, 100, 1.0), Row(16, 90, 1.0)]
    assert predicted(rows, 32) == 90
    assert predicted([*rows, Row(32, 250, 1.0), Row(64, 260, 1.0)], 128) == 260 + 64 * 10
    assert predicted([Row(8, 80, 1.0)], 16) == 160
    assert (steps_for(8, 1e6), steps_for(1000, 10.0), steps_for(100, 2000.0)) == (30, 3, 11)


@contextmanager
def process(program: str) -> Iterator["subprocess.Popen[str]"]:
    made = subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True)
    try:
        yield made
    finally:
        made.communicate()


def test_a_killed_process_is_an_answer(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("no such thing\n")
    with process("print('{\"free\": 9}', flush=True); input(); import os; os.kill(os.getpid(), 9)") as made:
        ask = Prober(made, log)
        assert ask.free == 9
        assert ask(8, 3) is None
        assert ask.lost == "signal 9"
        assert ask(16, 3) is None
    with process("pass") as made, pytest.raises(NnError, match="ended before its first step: no such thing"):
        Prober(made, log)
    with process('print(\'{"error": "no such file"}\')') as made, pytest.raises(NnError, match="no such file"):
        Prober(made, log)


def test_what_goes_wrong_inside_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = {
        8: MemoryError(),
        16: torch.OutOfMemoryError("CUDA out of memory"),
        32: RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        64: NnError("data has gone"),
        128: RuntimeError("shapes differ"),
    }

    def fails(config: object, data: object, size: int, steps: int) -> Step:
        raise errors[size]

    monkeypatch.setattr(batch_memory, "measure", fails)
    monkeypatch.setattr(batch_memory, "load_frozen", lambda file: None)
    parts = SimpleNamespace(data=None, where=SimpleNamespace(accelerator="cpu", devices=2))
    monkeypatch.setattr(batch_memory, "assemble", lambda config: parts)
    monkeypatch.setattr(batch_memory, "_bound", lambda parts, free: None)
    out = io.StringIO()
    serve(Path("config.yaml"), io.StringIO("".join(f"{size} 3\n" for size in errors)), out)
    free, *answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert 0 < free["free"] < free_memory()  # half of what there is, for one of two processes
    assert answers[:3] == [{}, {}, {}]
    assert answers[3] == {"error": "data has gone"}
    assert answers[4]["error"].endswith("data.batch_size=128 failed: RuntimeError: shapes differ")


def test_devices_need_room_for_the_gradients_they_exchange() -> None:
    net = torch.nn.Linear(10, 10)
    net.bias.requires_grad_(False)
    assert gradients(cast(Any, SimpleNamespace(task=made(Classification, net)))) == 400


NETS = """
import torch
from torch import nn


class Greedy(nn.Module):
    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.net = nn.Linear(4, num_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = torch.ones(10**12 if len(x) > 16 else len(x) * 10**6)
        return self.net(x) + 0 * kept.mean()
"""
GREEDY = (
    "# 4 MB a sample, and terabytes for more than 16.\n_target_: greedy_nets.Greedy\nnum_outputs: ${data.num_classes}\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems set no bound")
def test_a_net_that_wants_more_than_there_is_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "greedy_nets.py").write_text(NETS)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "greedy.yaml").write_text(GREEDY)
    words = ["data=iris", "data.batch_size=8", "model=greedy", "optimizer=sgd", "trainer.accelerator=cpu"]
    done = CliRunner().invoke(app, ["tune", "batch", *words, "--json", "--trust", "greedy_nets"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    rows = {row["size"]: row for row in told["found"]["rows"]}
    assert rows[32]["state"] == "too large"
    assert max(rows) == 32
    assert rows[16]["memory"] - rows[4]["memory"] > 40 * MB
    assert told["found"]["largest"] == 16
    assert told["type"]["largest"].endswith(
        "optimizer=sgd trainer.accelerator=cpu data.batch_size=16 --trust greedy_nets"
    )


@pytest.mark.gpu
def test_on_a_gpu_a_small_share_is_kept_to() -> None:
    words = ["tune", "batch", "recipe=digits_cnn", "trainer.accelerator=gpu", "--json", "--memory-share", "0.01"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["bound"] == int(0.01 * told["free"])
    assert all(row["memory"] <= told["bound"] for row in told["found"]["rows"] if row["samples_per_s"])
