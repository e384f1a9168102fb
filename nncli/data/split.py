"""The held-out samples of `data.split`, as a pure function of labels, groups and a seed."""

from collections.abc import Collection
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Interval
from torch import Tensor

from nncli.errors import DataError
from nncli.seed import Seed

Share = Annotated[float, Interval(gt=0, lt=1)]
Method = Literal["stratified", "random", "grouped", "ordered"]


Samples = tuple[Tensor, Tensor]  # inputs and targets


class Holdout:
    """For a set with its own test part: `val` samples of the training part are held out.

    With a `fold` [i, k] the i-th of k parts of the training part is the test part, and the published one is not used.
    """

    def __init__(self, val: Annotated[int, Ge(1)], seed: Seed, fold: list[int] | None = None) -> None:
        self.val, self.seed, self.fold = val, seed, fold
        self.taken: dict[str, Tensor] = {}  # the rows of each part that was cut

    def parts(self, train: Samples, test: Samples) -> dict[str, Samples]:
        x, y = train
        _check_fold(self.fold, len(y), "stratified")
        left = len(y) - _fold_sizes(len(y), self.fold[1])[0] if self.fold else len(y)
        if self.val >= left:
            raise DataError(f"data.split.val is {self.val}, the training part has {left} samples; take fewer")
        if self.fold:
            self.taken = _mixed(y, self.val / len(y), 0.0, self.seed, self.fold)
        else:
            self.taken = dict(zip(("val", "train"), split(y, [self.val], self.seed), strict=True))
        found = {name: (x[rows], y[rows]) for name, rows in self.taken.items()}
        return {name: found.get(name, test) for name in ("train", "val", "test")}


class Shares:
    """For a set without parts: two shares are held out, stratified. The seed also generates synthetic data.

    With a `fold` [i, k] the i-th of k parts is the test part, and `test` is ignored.
    """

    def __init__(self, val: Share, test: Share, seed: Seed, fold: list[int] | None = None) -> None:
        self.val, self.test, self.seed, self.fold = val, test, seed, fold
        self.taken: dict[str, Tensor] = {}

    def parts(self, x: Tensor, y: Tensor) -> dict[str, Samples]:
        _check_fold(self.fold, len(y), "stratified")
        if self.fold:
            self.taken = _mixed(y, self.val, self.test, self.seed, self.fold)
        else:
            sizes = [round(len(y) * share) for share in (self.val, self.test)]
            self.taken = dict(zip(("val", "test", "train"), split(y, sizes, self.seed), strict=True))
        return {name: (x[self.taken[name]], y[self.taken[name]]) for name in ("train", "val", "test")}


class Ordered:
    """For samples in the order of time: the last share is the test part, the one before it val."""

    def __init__(self, val: Share, test: Share, fold: list[int] | None) -> None:
        self.val, self.test, self.fold = val, test, fold
        self.taken: dict[str, Tensor] = {}

    def rows(self, count: int) -> dict[str, Tensor]:
        """The rows of train, val and test."""
        _check_fold(self.fold, count, "ordered")
        self.taken = _ordered(count, self.val, self.test, self.fold)
        return self.taken


class Split:
    """For the user's own data: shares are held out, and there may be no test part.

    Grouped: the rows of one group (a patient, a writer) stay in one part. Ordered: the last rows are the test part and
    those before them val, so that no net is evaluated on its past. With a `fold` [i, k] the i-th of k such parts is the
    test part, and `test` is ignored; ordered folds train only on rows before them, so that the first of k + 1 blocks is
    never the test part and `val` is a share of the rows before it.
    """

    def __init__(
        self,
        method: Method | Literal["auto"],
        val: Share,
        test: Annotated[float, Interval(ge=0, lt=1)],
        fold: list[int] | None,
        seed: Seed,
        group: str | int | None = None,
    ) -> None:
        self.method: Method | Literal["auto"] = method
        self.val, self.test, self.fold, self.seed, self.group = val, test, fold, seed, group
        self.taken: dict[str, Tensor] = {}

    def rows(
        self,
        y: Tensor,
        groups: np.ndarray | None = None,
        *,
        given: Collection[str] = (),
        auto: Method = "stratified",
    ) -> dict[str, Tensor]:
        """The rows of train and of each part that is not `given`; with `test` 0 there is no test part."""
        method = auto if self.method == "auto" else self.method
        if method == "grouped" and groups is None:
            raise DataError("data.split.method is grouped, which needs data.split.group, the column of groups")
        if method != "grouped" and groups is not None:
            raise DataError(
                f"data.split.group is set, but data.split.method is {method}; set data.split.method=grouped too"
            )
        if self.fold is not None and "test" in given:
            raise DataError(
                "data.split.fold cuts its own test part, and one is given; leave that one out, or set "
                "data.split.fold=null"
            )
        _check_fold(self.fold, len(y) if groups is None else len(np.unique(groups)), method)
        val, test = (0.0 if part in given else share for part, share in (("val", self.val), ("test", self.test)))
        if groups is not None:
            blocks = _grouped(groups, val, test, self.seed, self.fold)
        elif method == "ordered":
            blocks = _ordered(len(y), val, test, self.fold)
        else:
            strata = y if method == "stratified" and y.dim() == 1 else torch.zeros(len(y))
            blocks = _mixed(strata, val, test, self.seed, self.fold)
        self.taken = {n: rows for n, rows in blocks.items() if n not in given and (n != "test" or len(rows))}
        return self.taken


def split(y: Tensor, sizes: list[int], seed: int) -> list[Tensor]:
    """Indices of disjoint random parts of the given sizes, and of the remainder as the last.

    Integer labels are stratified: every part has the classes in the proportions of the whole, as nearly as possible.
    The order within a part is mixed just as evenly, so its first rows are not all of one class.
    """
    generator = np.random.default_rng(seed)
    group = np.zeros(len(y), dtype=np.int64) if y.is_floating_point() else y.numpy()
    place = np.empty(len(y))
    for label in np.unique(group):
        members = generator.permutation(np.flatnonzero(group == label))
        place[members] = (np.arange(len(members)) + generator.random()) / len(members)
    order = np.argsort(place, kind="stable")
    return [torch.from_numpy(part) for part in np.split(order, np.cumsum(sizes))]


def _mixed(strata: Tensor, val_share: float, test_share: float, seed: int, fold: list[int] | None) -> dict[str, Tensor]:
    count, index = len(strata), fold[0] if fold else 0
    tests = split(strata, _fold_sizes(count, fold[1])[:-1] if fold else [round(count * test_share)], seed)
    rest = torch.cat([*tests[:index], *tests[index + 1 :]])
    val, train = split(strata[rest], [round(count * val_share)], seed + 1)
    return {"train": rest[train], "val": rest[val], "test": tests[index]}


def _check_fold(fold: list[int] | None, count: int, method: Method) -> None:
    if fold is None:
        return
    if not (len(fold) == 2 and 0 <= fold[0] < fold[1] and fold[1] >= 2):
        raise DataError(f"data.split.fold is {fold}; it must be [i, k] with i from 0 to k - 1, for example [0, 5]")
    most = count - 1 if method == "ordered" else count
    if fold[1] > most:
        what = "groups" if method == "grouped" else "rows"
        raise DataError(f"data.split.fold is {fold}, and {count} {what} make at most {most}; take {most} or fewer")


def _fold_sizes(count: int, folds: int) -> list[int]:
    """Sizes of the folds, as equal as possible."""
    return [count // folds + (i < count % folds) for i in range(folds)]


def _ordered(count: int, val_share: float, test_share: float, fold: list[int] | None) -> dict[str, Tensor]:
    if fold is None:
        end, test = count, round(count * test_share)
        val = round(count * val_share)
    else:  # k + 1 blocks: the first is only used for training, each other one is the test part of one fold
        blocks = _fold_sizes(count, fold[1] + 1)
        end, test = sum(blocks[: fold[0] + 2]), blocks[fold[0] + 1]
        val = round((end - test) * val_share)
    edges = [0, max(0, end - test - val), max(0, end - test), end]
    train, val_rows, test_rows = (torch.arange(low, high) for low, high in pairwise(edges))
    return {"train": train, "val": val_rows, "test": test_rows}


def _grouped(
    groups: np.ndarray, val_share: float, test_share: float, seed: int, fold: list[int] | None
) -> dict[str, Tensor]:
    """Whole groups for each part; with a fold, its groups are the test part, the others train and val."""
    if fold is None:
        shares = {"test": test_share, "val": val_share, "train": 1 - val_share - test_share}
        return _shared_out(groups, shares, seed)
    tests = _shared_out(groups, {str(i): 1 / fold[1] for i in range(fold[1])}, seed)
    test = tests.pop(str(fold[0]))
    rest = torch.cat(list(tests.values())).sort().values
    share = val_share * len(groups) / len(rest)
    inner = _shared_out(groups[rest.numpy()], {"val": share, "train": 1 - share}, seed + 1)
    return {name: rest[rows] for name, rows in inner.items()} | {"test": test}


def _shared_out(groups: np.ndarray, shares: dict[str, float], seed: int) -> dict[str, Tensor]:
    """The rows of each part: groups in random order, each for the part that is furthest below its share."""
    names, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    parts = [part for part, share in shares.items() if share > 0]
    if len(names) < len(parts):
        raise DataError(f"data.split.group has {len(names)} different values, too few for {len(parts)} parts")
    lacking = np.array([shares[part] for part in parts]) * len(groups)
    part_of = np.empty(len(names), dtype=np.int64)
    for group in np.random.default_rng(seed).permutation(len(names)):
        part_of[group] = lacking.argmax()
        lacking[part_of[group]] -= sizes[group]
    for empty in sorted(set(range(len(parts))) - set(part_of.tolist())):  # large groups left it empty: move a small one
        of_most = np.flatnonzero(part_of == np.bincount(part_of).argmax())
        part_of[of_most[sizes[of_most].argmin()]] = empty
    rows = {part: np.flatnonzero(part_of[member] == i) for i, part in enumerate(parts)}
    return {part: torch.from_numpy(rows.get(part, np.empty(0, dtype=np.int64))) for part in shares}
