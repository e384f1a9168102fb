"""Points in the plane: logic tables, and clouds of points that are or are not linearly separable."""

from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge

from nncli.data.base import Data, Parts
from nncli.data.split import Shares
from nncli.errors import DataError

CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
INNER = 0.5  # radius of the inner ring
CIRCLE = (2 / np.pi) ** 0.5  # radius of half the area of the square from -1 to 1
TRUTH = {"and": (0, 0, 0, 1), "or": (0, 1, 1, 1), "xor": (0, 1, 1, 0)}


class Points(Data):
    """A logic function of two inputs, two interleaved half moons, rings, a circle, or blobs.

    The two rings are concentric. The circle separates the points of a square into those inside, class 1, and those
    outside; its noise moves the points. Blobs are `num_classes` clusters around points evenly spaced on a circle.

    A logic function without noise is its table: four rows, which are train, val and test at once. With noise it is
    `size` points scattered around the four corners.
    """

    def __init__(
        self,
        split: Shares,
        batch_size: Annotated[int, Ge(1)],
        shape: Literal["and", "or", "xor", "moons", "rings", "circle", "blobs"],
        size: Annotated[int, Ge(4)],
        noise: Annotated[float, Ge(0)],
        input_shape: list[int],
        num_classes: Annotated[int, Ge(2)],
    ) -> None:
        super().__init__(batch_size, input_shape, num_classes)
        self.shape = shape
        self.size = size
        self.noise = noise
        self.split = split

    def load(self) -> Parts:
        if self.shape in TRUTH and self.noise == 0:
            if self.split.fold:
                raise DataError("data.split.fold needs more than four rows; set data.noise=0.2")
            table = (torch.tensor(CORNERS, dtype=torch.float32), torch.tensor(TRUTH[self.shape]))
            return {"train": table, "val": table, "test": table}
        x, y = self._clouds() if self.shape in TRUTH else self._drawn()
        inputs, targets = torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y.astype(np.int64))
        return self.split.parts(inputs, targets)

    def _drawn(self) -> tuple[np.ndarray, np.ndarray]:
        if self.shape == "moons":
            from sklearn.datasets import make_moons

            x, y = make_moons(self.size, noise=self.noise, random_state=self.split.seed)
            return np.asarray(x), np.asarray(y)
        generator = np.random.default_rng(self.split.seed)
        turn = generator.uniform(0, 2 * np.pi, self.size)
        if self.shape == "circle":
            x = generator.uniform(-1, 1, (self.size, 2))
            y = np.hypot(*x.T) < CIRCLE
        elif self.shape == "rings":
            y = np.arange(self.size) % 2
            x = _on_circle(turn) * np.where(y == 1, INNER, 1.0)[:, None]
        else:
            y = np.arange(self.size) % (self.num_classes if isinstance(self.num_classes, int) else 2)
            x = _on_circle(2 * np.pi * y / (y.max() + 1))
        return x + generator.normal(0, self.noise, x.shape), y

    def _clouds(self) -> tuple[np.ndarray, np.ndarray]:
        corner = np.arange(self.size) % 4
        scatter = np.random.default_rng(self.split.seed).normal(0, self.noise, (self.size, 2))
        return np.array(CORNERS)[corner] + scatter, np.array(TRUTH[self.shape])[corner]


def _on_circle(turn: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)
