"""What the YAML states is held against the data."""

from typing import Any

import pytest
import torch

from nncli.data.base import Data, Parts
from nncli.errors import DataError


class Fixed(Data):
    """Forty rows of two numbers in four classes, or what a test replaces them with."""

    def __init__(self, replaced: Parts | None = None, **facts: Any) -> None:
        known: dict[str, Any] = {"batch_size": 10, "input_shape": [2], "num_classes": 4}
        super().__init__(**(known | facts))
        self.replaced = replaced or {}
        self.loaded = 0

    def load(self) -> Parts:
        self.loaded += 1
        part = (torch.randn(40, 2), torch.arange(40) % 4)
        return {"train": part, "val": part, "test": part, **self.replaced}


def broken(x: torch.Tensor, y: torch.Tensor) -> Parts:
    return {"train": (x, y)}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Fixed(num_classes=5), r"data\.num_classes is 5.*found 0 to 3"),
        (Fixed(num_classes=3), r"data\.num_classes is 3.*found 0 to 3"),
        (Fixed(input_shape=[3]), r"data\.input_shape is \[3\].*data\.input_shape=\[2\]"),
        (Fixed(batch_size=64), r"data\.batch_size is 64.*40 samples"),
        (Fixed(broken(torch.zeros(0, 2), torch.zeros(0).long())), "train part has no samples"),
        (Fixed(broken(torch.tensor([[0.0, 0.0]] * 7 + [[1.0, torch.nan]]), torch.zeros(8).long())), "row 7"),
        (Fixed(broken(torch.zeros(8, 2), torch.full((8,), -1))), "found -1 to -1"),
        (Fixed(broken(torch.zeros(8, 2), torch.zeros(8))), "targets are numbers"),
    ],
)
def test_a_fact_the_data_does_not_bear_out_is_named(data: Fixed, message: str) -> None:
    with pytest.raises(DataError, match=message):
        data.setup()


def test_a_class_with_a_name_need_not_occur() -> None:
    data = Fixed(num_classes=5)
    data.facts["classes"] = ["a", "b", "c", "d", "seen by an earlier run"]
    data.setup()
    data = Fixed(num_classes=3)
    data.facts["classes"] = ["a", "b", "c", "d"]
    with pytest.raises(DataError, match=r"data\.num_classes is 3"):
        data.setup()


def test_setup_loads_once() -> None:
    data = Fixed()
    data.setup()
    data.setup()
    assert data.loaded == 1


def test_loaders_stay_the_same_until_placed_anew() -> None:
    data = Fixed()
    first = data.train_dataloader()
    assert data.train_dataloader() is first
    data.place(seed=0, rank=1, world=2, accumulate=1, limit=None, overfit=0)
    assert data.train_dataloader() is not first
    assert [len(y) for _, y in data.train_dataloader()] == [5, 5, 5, 5]


def test_overfit_trains_and_judges_on_the_same_rows() -> None:
    data = Fixed()
    data.place(seed=0, rank=0, world=1, accumulate=2, limit=None, overfit=2)
    train, again, val = (
        torch.cat([x for x, _ in loader])
        for loader in (data.train_dataloader(), data.train_dataloader(), data.val_dataloader())
    )
    assert torch.equal(train, data.parts["train"].span(0, 20)[0])
    assert torch.equal(train, val)
    assert torch.equal(train, again)
