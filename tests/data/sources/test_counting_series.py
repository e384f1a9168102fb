"""Arithmetic sequences as numbers."""

from typing import Any

import pytest
import torch

from nncli.config.suits import suits
from nncli.data.sources.counting_series import CountingSeries
from nncli.errors import DataError
from tests.data.choices import chosen


def counting(**changed: Any) -> CountingSeries:
    data = chosen("counting_series", **changed)
    data.setup()
    return data


def test_every_sequence_is_there_once_and_goes_on_with_its_step() -> None:
    data = counting(highest=20, length=4, horizon=2, batch_size=8)
    rows = [torch.cat(part.span(0, len(part)), dim=1)[..., 0] for part in data.parts.values()]
    every = torch.cat(rows)
    steps = every.diff(dim=1)
    assert (steps == steps[:, :1]).all()
    assert len(every.unique(dim=0)) == len(every) == sum(21 - 5 * step for step in range(1, 5))
    assert (every.min(), every.max()) == (0, 20)


def test_numbers_are_forecast_and_nothing_is_left_open() -> None:
    data = counting()
    assert data.inferred() == {"input_shape": [3, 1], "num_classes": None}
    assert suits(data.traits())["task"] == "forecast"
    assert data.encode([10, 11, 12]).tolist() == [[10], [11], [12]]


def test_too_few_sequences_are_refused() -> None:
    with pytest.raises(DataError, match=r"data\.highest is 10, which leaves too few sequences of 9 numbers"):
        counting(highest=10, length=8)
