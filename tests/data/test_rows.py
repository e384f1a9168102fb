"""Every kind of rows gives whole batches by index, and batches are cut from them as documented."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nncli.data.batches import Batches
from nncli.data.rows import InMemory, Mapped, Ragged, Rows, Windows
from nncli.errors import DataError

TEXTS = [[5, 6, 7], [8], [9, 2], [3, 4, 5, 6]]


def ragged() -> Ragged:
    lengths = torch.tensor([len(text) for text in TEXTS])
    return Ragged(
        torch.tensor([token for text in TEXTS for token in text]), lengths.cumsum(0) - lengths, lengths, torch.arange(4)
    )


def test_ragged_rows_are_filled_up_to_the_longest_of_the_batch() -> None:
    x, y = ragged().take(torch.tensor([2, 0, 1]))
    assert x.tolist() == [[9, 2, 0], [5, 6, 7], [8, 0, 0]]
    assert y.tolist() == [2, 0, 1]
    assert ragged().take(torch.zeros(0, dtype=torch.long))[0].shape == (0, 0)


def test_windows_of_a_forecast_end_where_the_targets_begin() -> None:
    series = torch.arange(20.0).reshape(10, 2)
    rows = Windows(series, torch.tensor([0, 3]), 4, offset=4, ahead=2, columns=[1], fitted=(0, 6))
    x, y = rows.take(torch.tensor([1]))
    assert x.tolist() == [[[6, 7], [8, 9], [10, 11], [12, 13]]]
    assert y.tolist() == [[[15], [17]]]
    assert torch.equal(torch.cat(list(rows.inputs())), series[:6])


def test_windows_of_a_text_give_the_next_token_of_every_step() -> None:
    rows = Windows(torch.arange(10, dtype=torch.uint8), torch.tensor([2]), 3, offset=1, ahead=3)
    x, y = rows.span(0, 1)
    assert (x.tolist(), y.tolist()) == ([[2, 3, 4]], [[3, 4, 5]])
    assert x.dtype == torch.int64


def test_mapped_rows_read_only_what_is_asked_for(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(60, dtype=np.uint8).reshape(10, 2, 3))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    rows = Mapped(mapped, torch.arange(3), torch.tensor([9, 1, 4]))
    x, y = rows.take(torch.tensor([2, 0]))
    assert x[:, 0, 0].tolist() == [24, 54]
    assert y.tolist() == [2, 0]
    assert len(rows) == 3


@pytest.mark.parametrize("rows", [InMemory(torch.randn(9, 2), torch.arange(9)), ragged()], ids=["memory", "ragged"])
def test_chunks_give_every_sample_once(rows: Rows) -> None:
    assert torch.cat([y for _, y in rows.chunks()]).tolist() == list(range(len(rows)))


def test_chunks_of_large_samples_are_small() -> None:
    sizes = [
        len(y)
        for _, y in InMemory(torch.zeros(1, dtype=torch.uint8).expand(9, 3, 3000, 3000), torch.arange(9)).chunks()
    ]
    assert sizes == [2, 2, 2, 2, 1]


def test_batches_of_texts_are_cut_from_like_lengths_and_miss_nobody() -> None:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 60, (640,), generator=generator)
    flat = torch.ones(int(lengths.sum()), dtype=torch.long)
    rows = Ragged(flat, lengths.cumsum(0) - lengths, lengths, torch.arange(640))
    seen = [(x.shape[1], y) for x, y in Batches(rows, 32, shuffle=True, seed=0)]
    assert torch.cat([y for _, y in seen]).sort().values.tolist() == list(range(640))
    filled = sum(width * len(y) for width, y in seen) / int(lengths.sum())
    assert filled < 1.1, f"{filled:.2f} times the tokens there are"
    first = [width for width, _ in seen]
    assert first != sorted(first), "batches of like length must not come in the order of length"
    ranks = [torch.cat([y for _, y in Batches(rows, 32, shuffle=True, seed=0, rank=r, world=2)]) for r in range(2)]
    assert torch.cat(ranks).sort().values.tolist() == list(range(640))


def test_balanced_sampling_draws_every_class_equally_often() -> None:
    y = torch.tensor([0] * 950 + [1] * 50)
    rows = InMemory(torch.arange(1000.0)[:, None], y)
    natural, balanced = (
        torch.cat([y for _, y in Batches(rows, 100, shuffle=True, seed=0, sampling=sampling)]).float().mean().item()
        for sampling in ("natural", "balanced")
    )
    assert natural == pytest.approx(0.05)
    assert balanced == pytest.approx(0.5, abs=0.05)
    again = Batches(rows, 100, shuffle=True, seed=0, sampling="balanced")
    assert torch.equal(again.order(3), Batches(rows, 100, shuffle=True, seed=0, sampling="balanced").order(3))


def test_balanced_sampling_wants_classes() -> None:
    rows = InMemory(torch.randn(20, 1), torch.randn(20))
    with pytest.raises(DataError, match=r"loader\.sampling is balanced, which needs one class"):
        list(Batches(rows, 10, shuffle=True, seed=0, sampling="balanced"))


def test_batches_prepared_by_a_thread_are_the_same_in_the_same_order() -> None:
    rows = InMemory(torch.arange(100.0)[:, None], torch.arange(100))
    for shuffle in (True, False):
        now, ahead = (
            [y.tolist() for _, y in Batches(rows, 8, shuffle=shuffle, seed=0, ahead=early)] for early in (False, True)
        )
        assert now == ahead
    batches = Batches(rows, 8, shuffle=True, seed=0, ahead=True)
    batches.start = (3, 5)
    assert [y.tolist() for _, y in batches] == [batches.order(3)[i : i + 8].tolist() for i in range(40, 96, 8)]


def test_a_fault_met_by_the_thread_is_told_as_it_is() -> None:
    class Broken(InMemory):
        def take(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            raise DataError("photo 7 is broken")

    with pytest.raises(DataError, match="photo 7 is broken"):
        list(Batches(Broken(torch.zeros(9, 1), torch.zeros(9)), 3, shuffle=True, seed=0, ahead=True))
