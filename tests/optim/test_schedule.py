"""The rate over a run."""

from itertools import pairwise

import pytest
import torch
from torch.optim import SGD

from nncli.optim.schedule import WarmupCosine


def rates(total: int, warmup: float, final: float, steps: int, groups: int = 1) -> list[float]:
    optimizer = SGD([{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(groups)], lr=2.0)
    schedule = WarmupCosine(optimizer, total, warmup, final)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[-1]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_rises_in_equal_steps_then_falls_to_the_end() -> None:
    found = rates(total=100, warmup=0.1, final=0.01, steps=120)
    assert found[:10] == pytest.approx([0.2 * step for step in range(1, 11)])
    assert found[10] == 2.0
    assert all(later < earlier for earlier, later in pairwise(found[10:101]))
    assert found[55] == pytest.approx(1.01), "half way down in the middle"
    assert found[100:] == pytest.approx([0.02] * 20), "never raised again"


def test_warmup_of_one_or_more_counts_steps() -> None:
    assert rates(total=100, warmup=5, final=0.0, steps=20) == rates(total=100, warmup=0.05, final=0.0, steps=20)


def test_no_warmup_starts_at_the_peak() -> None:
    assert rates(total=10, warmup=0, final=0.0, steps=1) == [2.0]


@pytest.mark.parametrize("warmup", [0.0, 0.5, 1.0, 50.0])
def test_one_step_is_enough(warmup: float) -> None:
    assert rates(total=1, warmup=warmup, final=0.0, steps=1) == [2.0]


def test_all_groups_follow() -> None:
    assert rates(total=10, warmup=0.2, final=0.0, steps=10, groups=2) == rates(10, 0.2, 0.0, 10)


def advanced(total: int, steps: int) -> tuple[SGD, WarmupCosine]:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = WarmupCosine(optimizer, total, 0.1, 0.0)
    for _ in range(steps):
        optimizer.step()
        schedule.step()
    return optimizer, schedule


def test_resume_has_the_very_same_rates() -> None:
    optimizer, schedule = advanced(100, 37)
    resumed, later = advanced(100, 0)
    later.load_state_dict(schedule.state_dict())
    for _ in range(63):
        assert resumed.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]
        for one, other in ((optimizer, schedule), (resumed, later)):
            one.step()
            other.step()


def test_resume_that_trains_longer_stretches_the_schedule() -> None:
    _, schedule = advanced(100, 90)
    resumed, later = advanced(200, 0)
    later.load_state_dict(schedule.state_dict())
    straight, _ = advanced(200, 90)
    assert resumed.param_groups[0]["lr"] == straight.param_groups[0]["lr"] == later.get_last_lr()[0]
