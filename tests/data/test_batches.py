"""Which samples a rank sees, and when."""

import pytest
import torch

from nncli.data.batches import Batches
from nncli.data.rows import InMemory
from nncli.errors import DataError

X = torch.arange(100).reshape(100, 1)
Y = torch.arange(100)


def seen(batches: Batches) -> list[list[int]]:
    return [y.tolist() for _, y in batches]


@pytest.mark.parametrize(("world", "accumulate"), [(2, 1), (1, 3), (2, 3), (4, 3)])
def test_ranks_and_micro_batches_make_up_the_batch_of_one_rank(world: int, accumulate: int) -> None:
    whole = seen(Batches(InMemory(X, Y), 24, shuffle=True, seed=3))
    ranks = [
        seen(Batches(InMemory(X, Y), 24, shuffle=True, seed=3, rank=rank, world=world, accumulate=accumulate))
        for rank in range(world)
    ]
    for step, batch in enumerate(whole):
        micro = range(step * accumulate, (step + 1) * accumulate)
        assert [row for place in micro for rank in ranks for row in rank[place]] == batch
    assert len(whole) == 4, "100 samples give 4 whole batches of 24"


def test_inputs_and_targets_stay_together() -> None:
    for x, y in Batches(InMemory(X, Y), 10, shuffle=True, seed=0):
        assert x.flatten().tolist() == y.tolist()


def test_order_depends_on_seed_and_epoch_alone() -> None:
    one, two = (Batches(InMemory(X, Y), 10, shuffle=True, seed=1) for _ in range(2))
    torch.manual_seed(5)
    epochs = [seen(one), seen(one)]
    torch.manual_seed(6)
    assert [seen(two), seen(two)] == epochs
    assert epochs[0] != epochs[1]
    assert seen(Batches(InMemory(X, Y), 10, shuffle=True, seed=2)) != epochs[0]


def test_start_goes_on_exactly_where_it_is_told() -> None:
    batches = Batches(InMemory(X, Y), 10, shuffle=True, seed=0)
    epochs = [seen(batches) for _ in range(3)]
    for epoch, position in [(0, 0), (0, 7), (1, 9), (2, 0)]:
        again = Batches(InMemory(X, Y), 10, shuffle=True, seed=0)
        again.start = (epoch, position)
        assert seen(again) == epochs[epoch][position:]
        assert again.start == (epoch + 1, 0)
    again.start = (0, len(again))
    assert seen(again) == epochs[1], "the end of an epoch is the beginning of the next"


def test_an_iterator_that_is_not_drawn_from_changes_nothing() -> None:
    batches = Batches(InMemory(X, Y), 10, shuffle=True, seed=0)
    first = seen(Batches(InMemory(X, Y), 10, shuffle=True, seed=0))
    iter(batches)
    assert seen(batches) == first


@pytest.mark.parametrize("world", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("total", [1, 3, 17, 48, 49, 50, 97, 100])
def test_judging_takes_each_sample_once_on_any_number_of_ranks(world: int, total: int) -> None:
    ranks = [
        seen(Batches(InMemory(X[:total], Y[:total]), 24, shuffle=False, seed=0, rank=rank, world=world))
        for rank in range(world)
    ]
    assert len({len(rank) for rank in ranks}) == 1, "ranks with unequal numbers of batches wait for each other forever"
    assert sorted(row for rank in ranks for batch in rank for row in batch) == list(range(total))
    if total >= world:
        assert all(batch for rank in ranks for batch in rank)


def test_limit_is_counted_in_micro_batches() -> None:
    assert len(Batches(InMemory(X, Y), 10, shuffle=True, seed=0, accumulate=2, limit=3)) == 3


def test_a_batch_that_ranks_cannot_share_is_named() -> None:
    with pytest.raises(DataError, match=r"data\.batch_size is 10.*multiple of 4"):
        Batches(InMemory(X, Y), 10, shuffle=True, seed=0, world=4)
