"""What the net sees of a row."""

import pytest
import torch

from nncli.transforms.table import Table

NAN = torch.nan


def test_numbers_are_scaled_by_what_is_there_and_gaps_are_told() -> None:
    table = Table([1, 2, 3])
    x = torch.tensor([[1.0, 10.0, 0.0], [3.0, NAN, 1.0], [5.0, 30.0, 2.0]])
    table.fit(lambda: x.split(2))
    seen = table(x)
    z = 2 / torch.tensor([1.0, 3.0, 5.0]).std(correction=0)
    assert torch.allclose(seen[:, 0], torch.tensor([-z, 0, z]))
    assert seen[:, 1:3].tolist() == [[-1, 0], [0, 1], [1, 0]]
    assert seen[:, 3:].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_a_gap_where_training_had_none_counts_as_the_mean() -> None:
    table = Table([1])
    table.fit(lambda: [torch.tensor([[4.0], [6.0]])])
    assert table(torch.tensor([[NAN], [7.0]])).tolist() == [[0], [2]]


def test_a_constant_and_an_empty_column_do_no_harm() -> None:
    table = Table([1, 1])
    x = torch.tensor([[7.0, NAN], [7.0, NAN]])
    table.fit(lambda: [x])
    assert table(x).tolist() == [[0, 0], [0, 0]]


def test_large_numbers_keep_their_differences() -> None:
    table = Table([1])
    x = torch.arange(1000.0)[:, None] + 2.0**23
    table.fit(lambda: x.split(100))
    assert table(x).std(correction=0).item() == pytest.approx(1, abs=1e-4)


def test_statistics_travel_with_the_weights() -> None:
    table, other = Table([1, 4]), Table([1, 4])
    x = torch.tensor([[1.0, 0], [2.0, 3]])
    table.fit(lambda: [x])
    other.load_state_dict(table.state_dict())
    assert torch.equal(other(x), table(x))
