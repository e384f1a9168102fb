"""Every source can be cut into folds, except those whose parts are fixed."""

from pathlib import Path

import pytest
import torch

from nncli.config.compose import compose
from nncli.data.split import Holdout, Shares
from nncli.errors import DataError
from nncli.run.assemble import load_data

CLASSES = torch.tensor([0] * 60 + [1] * 30 + [2] * 13)
X = torch.arange(103)


def load(*words: str) -> dict[str, set[str]]:
    """The samples of each part, as text."""
    data = load_data(compose([*words, "data.batch_size=4"]))
    return {name: {str(rows.span(i, i + 1)[0].tolist()) for i in range(len(rows))} for name, rows in data.parts.items()}


@pytest.mark.parametrize(
    "words",
    [
        ["data=wine"],
        ["data=diabetes"],
        ["data=moons", "data.size=90"],
        ["data=copy", "data.size=80"],
        ["data=shapes", "data.size=60"],
    ],
    ids=lambda words: words[0],
)
def test_the_folds_of_a_set_without_parts_hold_each_sample_once(words: list[str]) -> None:
    folds = [load(*words, f"data.split.fold=[{i},3]") for i in range(3)]
    every = set.union(*folds[0].values())
    tests = [fold["test"] for fold in folds]
    assert set.union(*tests) == every
    assert sum(map(len, tests)) == len(every)
    for fold in folds:
        assert not fold["test"] & (fold["train"] | fold["val"])
        assert not fold["train"] & fold["val"]


def test_folds_are_stratified() -> None:
    for i in range(4):
        _, y = Shares(0.1, 0.2, 0, [i, 4]).parts(X, CLASSES)["test"]
        assert torch.allclose(torch.bincount(y) / len(y), torch.bincount(CLASSES) / 103, atol=0.05)


def test_the_folds_of_a_set_with_a_published_test_part_leave_it_alone() -> None:
    published = torch.arange(1000, 1010)
    tests = []
    for i in range(4):
        parts = Holdout(20, 0, [i, 4]).parts((X, CLASSES), (published, published))
        assert list(parts) == ["train", "val", "test"]
        rows = torch.cat([x for x, _ in parts.values()])
        assert sorted(rows.tolist()) == X.tolist(), "all of the training part, and nothing else"
        assert len(parts["val"][0]) == 20
        tests += parts["test"][0].tolist()
    assert sorted(tests) == X.tolist()
    assert Holdout(20, 0).parts((X, CLASSES), (published, published))["test"][0] is published


def test_more_folds_than_rows_and_folds_that_leave_nothing_to_train_on_are_refused() -> None:
    with pytest.raises(DataError, match=r"data\.split\.fold is \[0, 200\].*take 103 or fewer"):
        Shares(0.1, 0.2, 0, [0, 200]).parts(X, CLASSES)
    with pytest.raises(DataError, match=r"data\.split\.fold is \[0, 200\].*take 103 or fewer"):
        Holdout(20, 0, [0, 200]).parts((X, CLASSES), (X, CLASSES))
    with pytest.raises(DataError, match=r"data\.split\.val is 60, the training part has 51 samples"):
        Holdout(60, 0, [0, 2]).parts((X, CLASSES), (X, CLASSES))
    with pytest.raises(DataError, match=r"data\.split\.fold needs more than four rows"):
        load("data=xor", "data.noise=0.0", "data.split.fold=[0,2]")


def test_a_config_from_before_there_were_folds_still_loads(tmp_path: Path) -> None:
    for name, words in (("Shares", "val: 0.15\n    test: 0.15"), ("Holdout", "val: 20")):
        file = tmp_path / "old.yaml"
        file.write_text(f"data:\n  split:\n    _target_: nncli.data.split.{name}\n    {words}\n    seed: 0\n")
        from nncli.config.build import build
        from nncli.config.compose import load_frozen

        config = load_frozen(file)
        assert build(config.tree.data.split, config=config).fold is None
