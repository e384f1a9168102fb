"""Which samples are held out: a pure function of labels, groups and a seed."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nncli.errors import DataError

How = Literal["stratified", "random", "grouped", "ordered"]


def split(y: Tensor, sizes: list[int], seed: int) -> list[Tensor]:
    """Indices of disjoint random parts of the given sizes, and last of what remains.

    Whole-number labels are stratified: every part has the classes in the shares of the whole, as nearly as whole
    samples allow. The order within a part is mixed as evenly, so its first rows are no single class.
    """
    generator = np.random.default_rng(seed)
    group = np.zeros(len(y), dtype=np.int64) if y.is_floating_point() else y.numpy()
    place = np.empty(len(y))
    for label in np.unique(group):
        members = generator.permutation(np.flatnonzero(group == label))
        place[members] = (np.arange(len(members)) + generator.random()) / len(members)
    order = np.argsort(place, kind="stable")
    return [torch.from_numpy(part) for part in np.split(order, np.cumsum(sizes))]


def split_rows(
    y: Tensor,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    how: How = "stratified",
    groups: np.ndarray | None = None,
    fold: list[int] | None = None,
) -> dict[str, Tensor]:
    """Indices of train, val and test of a source without a given split; with `test_fraction` 0 there is no test.

    Grouped, the rows of one group (a patient, a writer) stay in one part. Ordered, the last rows are the test and
    those before them val, so that nothing is judged on its past. With a `fold` [i, k] the i-th of k such parts is the
    test, whatever `test_fraction` says; ordered folds train on what lies before them.
    """
    if fold is not None and not (len(fold) == 2 and 0 <= fold[0] < fold[1] and fold[1] >= 2):
        raise DataError(f"data.fold is {fold}; it must be [i, k] with i from 0 to k - 1, for example [0, 5]")
    if how == "ordered":
        return _ordered(len(y), val_fraction, test_fraction, fold)
    if how == "grouped":
        if groups is None:
            raise DataError("data.split is grouped, which needs data.group: the column that names the group of a row")
        blocks = _group_blocks(groups, val_fraction, test_fraction, seed, fold)
    else:
        strata = y if how == "stratified" else torch.zeros(len(y))
        parts, share = (fold[1], 1 / fold[1]) if fold else (1, test_fraction)
        tests = split(strata, [round(len(y) * share)] * (parts - 1 if fold else 1), seed)
        test = tests[fold[0] if fold else 0]
        rest = torch.cat([part for part in tests if part is not test])
        val, train = split(strata[rest], [round(len(y) * val_fraction)], seed + 1)
        blocks = {"train": rest[train], "val": rest[val], "test": test}
    return {name: rows for name, rows in blocks.items() if name != "test" or len(rows) or fold}


def split_parts(
    x: Tensor, y: Tensor, val_fraction: float, test_fraction: float, seed: int
) -> dict[str, tuple[Tensor, Tensor]]:
    """A source without a given split, cut into train, val and test."""
    sizes = [round(len(y) * val_fraction), round(len(y) * test_fraction)]
    val, test, train = split(y, sizes, seed)
    return {name: (x[rows], y[rows]) for name, rows in (("train", train), ("val", val), ("test", test))}


def _ordered(count: int, val_fraction: float, test_fraction: float, fold: list[int] | None) -> dict[str, Tensor]:
    if fold is None:
        end, test = count, round(count * test_fraction)
    else:
        step = count // (fold[1] + 1)
        end, test = (fold[0] + 2) * step, step
    val = round(count * val_fraction) if fold is None else round((end - test) * val_fraction)
    train, val, test = torch.arange(end).split([end - test - val, val, test])
    return {
        name: rows for name, rows in (("train", train), ("val", val), ("test", test)) if name != "test" or len(rows)
    }


def _group_blocks(
    groups: np.ndarray, val_fraction: float, test_fraction: float, seed: int, fold: list[int] | None
) -> dict[str, Tensor]:
    """Whole groups, in mixed order, to whichever part is furthest from its share."""
    names, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    shares = {"test": test_fraction, "val": val_fraction, "train": 1 - val_fraction - test_fraction}
    if fold is not None:
        shares = {str(i): 1 / fold[1] for i in range(fold[1])}
    given = dict.fromkeys(shares, 0)
    part_of = np.empty(len(names), dtype=object)
    for group in np.random.default_rng(seed).permutation(len(names)):
        lacks = max(shares, key=lambda part: shares[part] * len(groups) - given[part])
        part_of[group] = lacks
        given[lacks] += int(sizes[group])
    if fold is None:
        return {part: torch.from_numpy(np.flatnonzero(part_of[member] == part)) for part in shares}
    test = torch.from_numpy(np.flatnonzero(part_of[member] == str(fold[0])))
    rest = np.flatnonzero(part_of[member] != str(fold[0]))
    inner = _group_blocks(groups[rest], val_fraction, 0.0, seed + 1, None)
    return {"train": torch.from_numpy(rest)[inner["train"]], "val": torch.from_numpy(rest)[inner["val"]], "test": test}
