"""Held-out parts."""

from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from nncli.data.split import Holdout, Method, Shares, Split, split
from nncli.errors import DataError

LABELS = torch.tensor([0] * 60 + [1] * 30 + [2] * 13)
WRITERS = np.random.default_rng(1).integers(0, 17, 103)  # groups of unequal size
WAYS: tuple[Method, ...] = get_args(Method)


def parts(how: Method, seed: int = 0, fold: list[int] | None = None, test: float = 0.2) -> dict[str, Tensor]:
    return Split(how, 0.1, test, fold, seed).rows(LABELS, WRITERS if how == "grouped" else None)


def rows(*tensors: Tensor) -> list[int]:
    return sorted(torch.cat(tensors).tolist())


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


def test_another_seed_holds_out_others_of_a_set_with_its_own_test_part() -> None:
    x, y = torch.arange(100), torch.zeros(100, dtype=torch.long)
    first, again, second = (Holdout(20, seed).parts((x, y), (x, y))["val"][0].tolist() for seed in (0, 0, 1))
    assert first == again
    assert set(first) != set(second)


def test_measured_targets_are_parted_at_random() -> None:
    y = torch.linspace(0, 1, 100)
    parts = Shares(0.2, 0.3, seed=0).parts(y[:, None], y)
    assert [len(parts[name][1]) for name in ("train", "val", "test")] == [50, 20, 30]
    assert all(0.3 < part[1].mean() < 0.7 for part in parts.values())


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("fold", [None, [0, 5], [4, 5]], ids=str)
def test_every_way_gives_each_row_to_one_part(how: Method, fold: list[int] | None) -> None:
    found = parts(how, fold=fold)
    together = rows(*found.values())
    assert len(set(together)) == len(together)
    if how != "ordered" or fold != [0, 5]:  # the first ordered fold leaves the later rows alone
        assert together == list(range(103))
    assert all(len(part) for part in found.values())
    again = parts(how, fold=fold)
    assert all(torch.equal(again[name], found[name]) for name in found)


@pytest.mark.parametrize("how", ["stratified", "random", "ordered"])
def test_the_fractions_are_shares_of_all_rows(how: Method) -> None:
    assert {name: len(part) for name, part in parts(how).items()} == {"train": 72, "val": 10, "test": 21}


@pytest.mark.parametrize("how", WAYS)
def test_without_a_share_for_the_test_there_is_no_test_part(how: Method) -> None:
    found = parts(how, test=0.0)
    assert set(found) == {"train", "val"}
    assert rows(*found.values()) == list(range(103))


@pytest.mark.parametrize("how", ["stratified", "random", "grouped"])
def test_the_tests_of_all_folds_hold_every_row_once(how: Method) -> None:
    tests = [parts(how, fold=[i, 7])["test"] for i in range(7)]
    assert rows(*tests) == list(range(103))
    if how != "grouped":
        assert {len(test) for test in tests} <= {14, 15}
    assert not torch.equal(parts(how, 1, [0, 7])["test"], tests[0])


def test_folds_of_few_rows_are_none_of_them_empty() -> None:
    tests = [Split("random", 0.1, 0.0, [i, 8], 0).rows(torch.zeros(12))["test"] for i in range(8)]
    assert sorted(len(test) for test in tests) == [1, 1, 1, 1, 2, 2, 2, 2]


def test_stratified_folds_keep_the_shares_of_the_classes() -> None:
    for i in range(4):
        found = parts("stratified", fold=[i, 4])
        for part in (found["train"], found["test"]):
            share = torch.bincount(LABELS[part], minlength=3) / len(part)
            assert torch.allclose(share, torch.bincount(LABELS) / 103, atol=0.05), share


@pytest.mark.parametrize("fold", [None, [2, 5]], ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_never_parted(seed: int, fold: list[int] | None) -> None:
    found = parts("grouped", seed, fold)
    writers = [set(WRITERS[part.numpy()].tolist()) for part in found.values()]
    assert sum(map(len, writers)) == len(set().union(*writers)) == 17
    assert abs(len(found["test"]) - 21) < 8


def test_groups_may_be_names_and_one_large_group_leaves_some_for_the_other_parts() -> None:
    names = np.array(["anna"] * 90 + ["ben"] * 5 + ["carl"] * 5)
    for seed in range(6):
        found = Split("grouped", 0.1, 0.1, None, seed).rows(torch.zeros(100), names)
        assert sorted(len(part) for part in found.values()) == [5, 5, 90]


def test_ordered_parts_follow_one_another_in_time() -> None:
    found = parts("ordered")
    assert torch.cat([found["train"], found["val"], found["test"]]).tolist() == list(range(103))


def test_ordered_folds_are_judged_on_what_comes_after_and_reach_the_end() -> None:
    folds = [parts("ordered", fold=[i, 4]) for i in range(4)]
    for fold in folds:
        before = torch.cat([fold["train"], fold["val"]])
        assert before.tolist() == list(range(int(fold["test"][0])))
    assert torch.cat([fold["test"] for fold in folds]).tolist() == list(range(21, 103)), "all but the first of 5 blocks"


@pytest.mark.parametrize("fold", [[5, 5], [-1, 5], [0, 1], [0], [0, 5, 1]], ids=str)
def test_a_bad_fold_is_named(fold: list[int]) -> None:
    with pytest.raises(DataError, match=r"data\.split\.fold is \[.*\]; it must be \[i, k\] with i from 0 to k - 1"):
        parts("random", fold=fold)


@pytest.mark.parametrize(("how", "most"), [("random", 103), ("grouped", 17), ("ordered", 102)])
def test_more_folds_than_there_is_data_for_are_refused(how: Method, most: int) -> None:
    with pytest.raises(DataError, match=rf"data\.split\.fold is \[0, 200\].*take {most} or fewer"):
        parts(how, fold=[0, 200])


def test_groups_must_be_given_and_be_enough() -> None:
    with pytest.raises(DataError, match=r"data\.split\.method is grouped, which needs data\.split\.group"):
        Split("grouped", 0.1, 0.1, None, 0).rows(LABELS)
    with pytest.raises(DataError, match=r"data\.split\.group is set, but data\.split\.method is stratified"):
        Split("stratified", 0.1, 0.1, None, 0).rows(LABELS, WRITERS)
    with pytest.raises(DataError, match=r"data\.split\.group has 2 different values, too few for 3 parts"):
        Split("grouped", 0.1, 0.1, None, 0).rows(LABELS, np.arange(103) % 2)
