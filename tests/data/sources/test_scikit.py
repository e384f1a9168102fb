"""scikit-learn's sets are what their YAML says."""

from typing import Any

import pytest
import torch

from nncli.data.base import Data
from nncli.data.sources.points import Points
from nncli.data.sources.scikit import Scikit
from tests.data.choices import chosen


def load(name: str, **changed: Any) -> Scikit | Points:
    data = chosen(name, **changed)
    data.setup()
    return data


def whole(data: Data, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    return data.parts[part].span(0, len(data.parts[part]))


@pytest.mark.parametrize(
    ("name", "rows"), [("digits", 1797), ("iris", 150), ("wine", 178), ("breast_cancer", 569), ("diabetes", 442)]
)
def test_yaml_states_the_facts(name: str, rows: int) -> None:
    data = load(name)
    assert sum(len(rows) for rows in data.parts.values()) == rows


def test_digits_are_pictures_in_bytes() -> None:
    x, _ = whole(load("digits"), "train")
    assert x.dtype == torch.uint8
    assert x.max() == 16


def test_another_split_seed_makes_another_split_and_the_same_one_the_same() -> None:
    first = whole(load("wine"), "test")[0]
    assert torch.equal(whole(load("wine"), "test")[0], first)
    assert not torch.equal(whole(load("wine", split={"seed": 5}), "test")[0], first)


@pytest.mark.parametrize(("name", "wanted"), [("and", [0, 0, 0, 1]), ("or", [0, 1, 1, 1])])
def test_truth_tables_are_exact_and_alike_in_all_parts(name: str, wanted: list[int]) -> None:
    for x, y in (whole(load(name), part) for part in ("train", "val", "test")):
        assert x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
        assert y.tolist() == wanted


def test_noisy_xor_lies_around_its_corners() -> None:
    x, y = whole(load("xor", noise=0.05), "train")
    corner = x.round().long()
    assert torch.equal(corner[:, 0] ^ corner[:, 1], y)
    assert not torch.equal(x, x.round())


def test_moons_are_two_classes_of_equal_size() -> None:
    _, y = whole(load("moons"), "train")
    assert y.bincount().tolist() == [350, 350]
