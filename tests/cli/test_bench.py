"""`nn bench`: what it prints, and that its stopwatch is right."""

import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nncli.bench.loops import one_by_one, train_by_hand
from nncli.bench.meter import Meter
from nncli.bench.peers import Plain
from nncli.cli.bench import bench
from nncli.data.rows import Ragged
from nncli.data.sources.points import Points
from nncli.data.split import Shares
from nncli.errors import ConfigError, NnError
from tests.conftest import Nn
from tests.tasks.duel import duel
from tests.tasks.parts import learned

HELD_OUT = Shares(0.15, 0.15, seed=0)


def test_meter_knows_waiting_from_working() -> None:
    meter = Meter(10, 4, torch.device("cpu"))

    def slow_source() -> object:
        while True:
            time.sleep(0.01)
            yield None

    for _ in meter.batches(slow_source()):
        time.sleep(0.01)
        if meter.step():
            break
    timing = meter.timing()
    assert 0.3 < timing.waiting < 0.7
    assert timing.step_ms > 19
    assert timing.samples_per_s == pytest.approx(4000 / timing.step_ms)
    assert timing.first_step_s >= 0.02


def test_bench_compares_four_loops_in_one_process(nn: Nn) -> None:
    done = nn("bench", "recipe=digits_mlp", "--steps", "20", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert list(facts["loops"]) == ["bare", "plain", "by hand", "nn"]
    assert facts["loops"]["nn"]["nn_times"] == 1
    for loop in facts["loops"].values():
        assert loop["samples_per_s"] > 0
        assert 0 <= loop["waiting"] < 1
        assert loop["peak_mb"] > 50


def test_the_plain_loader_fills_up_texts() -> None:
    lengths = torch.tensor([3, 1])
    data = SimpleNamespace(
        parts={"train": Ragged(torch.arange(1, 5), torch.tensor([0, 3]), lengths, torch.arange(2))}, batch_size=2
    )
    ((x, y),) = one_by_one(data)
    assert sorted(x.tolist()) == [[1, 2, 3], [4, 0, 0]]
    assert sorted(y.tolist()) == [0, 1]


def test_the_loop_by_hand_takes_the_turns_of_a_task_as_nn_does() -> None:
    """Two nets against each other, whose weights depend on who moves when and by which gradients."""
    data = Points(HELD_OUT, 32, "moons", 500, 0.1, [2], 2)
    by_nn, by_hand = duel(), duel()
    start = torch.cat([weight.detach().flatten() for weight in by_nn.parameters()])
    learner, _ = learned(by_nn, data, 1)
    parts: Any = SimpleNamespace(task=by_hand, trainer={"grad_clip": None})
    loader = Points(HELD_OUT, 32, "moons", 500, 0.1, [2], 2).train_dataloader()
    meter = Meter(learner.step, 32, torch.device("cpu"))
    train_by_hand(parts, iter(loader), meter, torch.device("cpu"), "32")
    for one, other in zip(by_nn.parameters(), by_hand.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    assert (torch.cat([weight.detach().flatten() for weight in by_nn.parameters()]) != start).all()


def test_lightning_beside_it_trains_any_task_with_one_optimizer(nn: Nn) -> None:
    words = ["data=diabetes", "task=regression", "loss=mse", "model.num_outputs=1", "task.monitor=val/loss"]
    done = nn("bench", *words, "--peers", "--steps", "20", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["loops"]["Lightning"]["samples_per_s"] > 0
    parts: Any = SimpleNamespace(task=duel())
    with pytest.raises(NnError, match="--peers compares tasks with one optimizer, but Duel has 2"):
        Plain(parts, Meter(1, 1, torch.device("cpu")))


def test_bench_reports_a_wrong_word() -> None:
    with pytest.raises(ConfigError) as caught:
        bench(["recipe=digits_mlp", "model.widht=3"])
    assert [(p.key, p.code) for p in caught.value.problems] == [("model.widht", "unknown-key")]
