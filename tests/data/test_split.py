"""Held-out parts."""

import torch

from nncli.data.split import split, split_parts


def test_parts_are_disjoint_complete_and_stratified() -> None:
    y = torch.tensor([0] * 600 + [1] * 300 + [2] * 100)
    val, test, train = split(y, [100, 200], seed=0)
    assert sorted(torch.cat([val, test, train]).tolist()) == list(range(1000))
    for part in (val, test, train):
        share = torch.bincount(y[part], minlength=3) / len(part)
        assert torch.allclose(share, torch.tensor([0.6, 0.3, 0.1]), atol=0.011), share


def test_first_rows_hold_all_classes() -> None:
    y = torch.arange(10).repeat_interleave(100)
    *_, train = split(y, [100, 100], seed=0)
    assert len(y[train[:20]].unique()) == 10


def test_another_seed_holds_out_others() -> None:
    y = torch.zeros(100, dtype=torch.long)
    first, second = (split(y, [20], seed)[0].tolist() for seed in (0, 1))
    assert first == split(y, [20], 0)[0].tolist()
    assert set(first) != set(second)


def test_measured_targets_are_parted_at_random() -> None:
    y = torch.linspace(0, 1, 100)
    parts = split_parts(y[:, None], y, 0.2, 0.3, seed=0)
    assert [len(parts[name][1]) for name in ("train", "val", "test")] == [50, 20, 30]
    assert all(0.3 < part[1].mean() < 0.7 for part in parts.values())
