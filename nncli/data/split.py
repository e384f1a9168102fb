"""Which samples are held out: a pure function of labels, groups and a seed."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from nncli.data.arguments import How as How
from nncli.errors import DataError


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
    test, whatever `test_fraction` says; ordered folds train on what lies before them, so there the first of k + 1
    blocks is never a test and `val_fraction` is a share of what lies before.
    """
    if how == "grouped" and groups is None:
        raise DataError("data.split is grouped, which needs data.group: the column that names the group of a row")
    if how != "grouped" and groups is not None:
        raise DataError(f"data.group is set, but data.split is {how}; say data.split=grouped too")
    _check_fold(fold, len(y) if groups is None else len(np.unique(groups)), how)
    if groups is not None:
        blocks = _grouped(groups, val_fraction, test_fraction, seed, fold)
    elif how == "ordered":
        blocks = _ordered(len(y), val_fraction, test_fraction, fold)
    else:
        strata = y if how == "stratified" and y.dim() == 1 else torch.zeros(len(y))
        blocks = _mixed(strata, val_fraction, test_fraction, seed, fold)
    return {name: rows for name, rows in blocks.items() if name != "test" or len(rows)}


def _mixed(
    strata: Tensor, val_fraction: float, test_fraction: float, seed: int, fold: list[int] | None
) -> dict[str, Tensor]:
    count, index = len(strata), fold[0] if fold else 0
    tests = split(strata, _fold_sizes(count, fold[1])[:-1] if fold else [round(count * test_fraction)], seed)
    rest = torch.cat([*tests[:index], *tests[index + 1 :]])
    val, train = split(strata[rest], [round(count * val_fraction)], seed + 1)
    return {"train": rest[train], "val": rest[val], "test": tests[index]}


def split_parts(
    x: Tensor, y: Tensor, val_fraction: float, test_fraction: float, seed: int
) -> dict[str, tuple[Tensor, Tensor]]:
    """A source without a given split, cut into train, val and test."""
    sizes = [round(len(y) * val_fraction), round(len(y) * test_fraction)]
    val, test, train = split(y, sizes, seed)
    return {name: (x[rows], y[rows]) for name, rows in (("train", train), ("val", val), ("test", test))}


def _check_fold(fold: list[int] | None, count: int, how: How) -> None:
    if fold is None:
        return
    if not (len(fold) == 2 and 0 <= fold[0] < fold[1] and fold[1] >= 2):
        raise DataError(f"data.fold is {fold}; it must be [i, k] with i from 0 to k - 1, for example [0, 5]")
    most = count - 1 if how == "ordered" else count
    if fold[1] > most:
        what = "groups" if how == "grouped" else "rows"
        raise DataError(f"data.fold is {fold}, more folds than the {count} {what} can make; take {most} or fewer")


def _fold_sizes(count: int, folds: int) -> list[int]:
    """As equal as whole rows allow."""
    return [count // folds + (i < count % folds) for i in range(folds)]


def _ordered(count: int, val_fraction: float, test_fraction: float, fold: list[int] | None) -> dict[str, Tensor]:
    if fold is None:
        end, test = count, round(count * test_fraction)
        val = round(count * val_fraction)
    else:  # k + 1 blocks: the first is only ever trained on, each other one is the test of one fold
        blocks = _fold_sizes(count, fold[1] + 1)
        end, test = sum(blocks[: fold[0] + 2]), blocks[fold[0] + 1]
        val = round((end - test) * val_fraction)
    edges = [0, max(0, end - test - val), max(0, end - test), end]
    train, val_rows, test_rows = (torch.arange(low, high) for low, high in pairwise(edges))
    return {"train": train, "val": val_rows, "test": test_rows}


def _grouped(
    groups: np.ndarray, val_fraction: float, test_fraction: float, seed: int, fold: list[int] | None
) -> dict[str, Tensor]:
    """Whole groups to each part, or those of one fold to the test and of the others to train and val."""
    if fold is None:
        shares = {"test": test_fraction, "val": val_fraction, "train": 1 - val_fraction - test_fraction}
        return _shared_out(groups, shares, seed)
    tests = _shared_out(groups, {str(i): 1 / fold[1] for i in range(fold[1])}, seed)
    test = tests.pop(str(fold[0]))
    rest = torch.cat(list(tests.values())).sort().values
    share = val_fraction * len(groups) / len(rest)
    inner = _shared_out(groups[rest.numpy()], {"val": share, "train": 1 - share}, seed + 1)
    return {name: rest[rows] for name, rows in inner.items()} | {"test": test}


def _shared_out(groups: np.ndarray, shares: dict[str, float], seed: int) -> dict[str, Tensor]:
    """The rows of each part: groups in mixed order, each to the part that is furthest from its share."""
    names, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    parts = [part for part, share in shares.items() if share > 0]
    if len(names) < len(parts):
        raise DataError(f"data.group has {len(names)} different values, too few for {len(parts)} parts")
    lacking = np.array([shares[part] for part in parts]) * len(groups)
    part_of = np.empty(len(names), dtype=np.int64)
    for group in np.random.default_rng(seed).permutation(len(names)):
        part_of[group] = lacking.argmax()
        lacking[part_of[group]] -= sizes[group]
    for empty in sorted(set(range(len(parts))) - set(part_of.tolist())):  # large groups left it none: a small one moves
        of_most = np.flatnonzero(part_of == np.bincount(part_of).argmax())
        part_of[of_most[sizes[of_most].argmin()]] = empty
    rows = {part: np.flatnonzero(part_of[member] == i) for i, part in enumerate(parts)}
    return {part: torch.from_numpy(rows.get(part, np.empty(0, dtype=np.int64))) for part in shares}
