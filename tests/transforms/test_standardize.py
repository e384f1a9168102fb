"""The common scale."""

import pytest
import torch

from nncli.transforms import standardize
from nncli.transforms.standardize import Standardize


def test_each_channel_of_bytes_comes_to_mean_0_and_deviation_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standardize, "CHUNK", 7)
    x = torch.randint(0, 256, (50, 3, 8, 8), dtype=torch.uint8)
    x[:, 1] //= 4
    change = Standardize([3, 8, 8])
    change.fit(lambda: [x])
    z = change(x)
    assert z.dtype == torch.float32
    assert torch.allclose(z.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(z.std((0, 2, 3)), torch.ones(3), atol=1e-3)


def test_each_column_of_a_table_and_a_constant_one() -> None:
    x = torch.randn(200, 4) * torch.tensor([1.0, 100.0, 0.01, 0.0]) + torch.tensor([0.0, 1e6, 0.0, 3.0])
    change = Standardize([4])
    change.fit(lambda: [x])
    z = change(x)
    assert torch.allclose(z.std(0), torch.tensor([1.0, 1.0, 1.0, 0.0]), atol=0.01)
    assert torch.equal(z[:, 3], torch.zeros(200))


def test_a_single_number_per_sample() -> None:
    change = Standardize([])
    change.fit(lambda: [torch.tensor([1.0, 3.0])])
    assert change(torch.tensor([1.0, 3.0])).tolist() == [-1.0, 1.0]


def test_minmax_fills_0_to_1() -> None:
    x = torch.randint(3, 17, (50, 1, 8, 8), dtype=torch.uint8)
    change = Standardize([1, 8, 8], kind="minmax")
    change.fit(lambda: [x])
    assert (change(x).min(), change(x).max()) == (0.0, 1.0)


def test_none_changes_nothing_but_the_type() -> None:
    x = torch.randint(0, 256, (5, 1, 2, 2), dtype=torch.uint8)
    change = Standardize([1, 2, 2], kind="none")
    change.fit(lambda: [x])
    assert torch.equal(change(x), x.float())


def test_statistics_travel_with_the_weights() -> None:
    one, two = Standardize([2]), Standardize([2])
    one.fit(lambda: [torch.tensor([[1.0, 10.0], [3.0, 30.0]])])
    two.load_state_dict(one.state_dict())
    assert two(torch.tensor([[3.0, 10.0]])).tolist() == [[1.0, -1.0]]
