"""Which samples are held out: a pure function of the labels and a seed."""

import numpy as np
import torch
from torch import Tensor


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


def split_parts(
    x: Tensor, y: Tensor, val_fraction: float, test_fraction: float, seed: int
) -> dict[str, tuple[Tensor, Tensor]]:
    """A source without a given split, cut into train, val and test."""
    sizes = [round(len(y) * val_fraction), round(len(y) * test_fraction)]
    val, test, train = split(y, sizes, seed)
    return {name: (x[rows], y[rows]) for name, rows in (("train", train), ("val", val), ("test", test))}
