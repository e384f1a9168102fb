"""Pictures of circles, squares and triangles, drawn in batches by distances. N pictures, H W their size."""

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge, Interval

from nncli.data.base import Data, Parts
from nncli.data.split import Shares
from nncli.errors import DataError

NAMES = ["circle", "square", "triangle"]
SQUARE = np.sqrt(np.pi) / 2  # from the center to a side, for the area of a circle of radius 1
TRIANGLE = np.sqrt(np.pi / np.sqrt(27))  # the same for a triangle, whose corners are twice as far
SMALLEST = 16  # pixels; smaller pictures have no room for the largest shape
PIECE = 2048  # pictures drawn at a time, to limit memory


class Shapes(Data):
    """One shape per picture, of random position, size, rotation and brightness; areas do not depend on the class."""

    kind: ClassVar[Literal["image", "table", "text", "series"]] = "image"

    def __init__(
        self,
        split: Shares,
        batch_size: Annotated[int, Ge(1)],
        size: Annotated[int, Ge(30)],
        noise: Annotated[float, Interval(ge=0, le=1)],
        turn: bool,
        input_shape: list[int],
        num_classes: Annotated[int, Ge(2)],
    ) -> None:
        super().__init__(batch_size, input_shape, num_classes)
        self.size, self.noise, self.turn = size, noise, turn
        self.picture = list(input_shape)
        self.split = split

    def load(self) -> Parts:
        if len(self.picture) != 3 or self.picture[0] not in (1, 3) or min(self.picture[1:]) < SMALLEST:
            raise DataError(
                f"data.input_shape is {self.picture}; shapes are drawn in [1, height, width] or [3, height, width], "
                f"each side {SMALLEST} or more"
            )
        generator = np.random.default_rng(self.split.seed)
        labels = generator.permutation(np.arange(self.size) % len(NAMES))
        pictures = np.concatenate([self._draw(part, generator) for part in _pieces(labels)])
        self.facts["classes"] = NAMES
        inputs, targets = torch.from_numpy(pictures), torch.from_numpy(labels)
        return self.split.parts(inputs, targets)

    def _draw(self, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        channels, height, width = self.picture
        count, side = len(labels), min(height, width)
        radius = generator.uniform(0.18, 0.28, (count, 1, 1)) * side
        reach = 2 * TRIANGLE * radius + 1  # to the furthest corner, and a pixel of background
        middle = [generator.uniform(reach, extent - reach) for extent in (height, width)]
        down, right = np.arange(height)[:, None] + 0.5 - middle[0], np.arange(width) + 0.5 - middle[1]
        angle = generator.uniform(0, 2 * np.pi, (count, 1, 1)) * self.turn
        x = np.cos(angle) * right + np.sin(angle) * down
        y = np.cos(angle) * down - np.sin(angle) * right
        inside = np.clip(0.5 - _outside(labels, x, y, radius), 0, 1)[:, None]  # the edge is one pixel soft
        ground = generator.uniform(0, 0.45, (count, channels, 1, 1))
        light = generator.uniform(0.55, 1, (count, channels, 1, 1))
        picture = ground + (light - ground) * inside
        picture = picture + generator.normal(0, self.noise, picture.shape)
        return np.clip(picture * 255, 0, 255).astype(np.uint8)


def _outside(labels: np.ndarray, x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """The distance of each pixel from the outline of its shape, negative inside (N, H, W)."""
    kind = labels[:, None, None]
    reach = radius * np.where(kind == 1, SQUARE, TRIANGLE)
    square = np.maximum(abs(x), abs(y)) - reach
    triangle = np.maximum(y, abs(x) * np.sqrt(3) / 2 - y / 2) - reach
    return np.select([kind == 0, kind == 1], [np.hypot(x, y) - radius, square], triangle)


def _pieces(labels: np.ndarray) -> list[np.ndarray]:
    return [labels[low : low + PIECE] for low in range(0, len(labels), PIECE)]
