"""One picture of a part: its images, the same images as they are changed in training, or its series."""

from typing import Any

import torch
from PIL import Image
from torch import Tensor

from nncli.config.build import build
from nncli.config.compose import Config
from nncli.contracts import Augmenting, Fitted
from nncli.data.base import Data
from nncli.data.rows import Rows, Windows
from nncli.errors import NnError
from nncli.insight.data_summary import answer
from nncli.insight.pictures import brightest, grid, plot, sparkline, to_images
from nncli.insight.source import column_names

WIDTH = 10  # pictures in a row
SHOWN = 60  # pictures
SEVERAL = 8  # pictures that are drawn with several random changes each
MOST = 12  # columns of a series that are drawn


def drawing(
    config: Config, data: Data, part: str, kind: str, augmented: bool
) -> tuple[Image.Image | None, list[Image.Image]]:
    """One picture of a part, or None if it cannot be drawn, and the images of its first row."""
    rows = data.parts[part]
    if kind == "image":
        pictures, labels = changed(config, data, rows) if augmented else images(data, rows)
        return grid(pictures, labels, WIDTH), pictures[:WIDTH]
    if kind == "series" and augmented:
        return changed_window(config, data, rows), []
    return (lines(data, rows), []) if kind == "series" and isinstance(rows, Windows) else (None, [])


def images(data: Data, rows: Rows) -> tuple[list[Image.Image], list[str]]:
    """The first pictures of a part and their labels."""
    x, y = rows.take(torch.arange(min(SHOWN, len(rows))))
    return to_images(x, brightest(x)), [answer(data, value) for value in y]


def changed(config: Config, data: Data, rows: Rows) -> tuple[list[Image.Image], list[str]]:
    """A few pictures, each as it is and then with several random changes of training, with the seed of the config."""
    x, y = rows.take(torch.arange(min(SEVERAL, len(rows))))
    draws = augmented(config, data, x, WIDTH - 1)
    strips = [torch.cat([x[i : i + 1].float(), *(draw[i : i + 1] for draw in draws)]) for i in range(len(x))]
    labels = [text for value in y for text in (answer(data, value), *[""] * (WIDTH - 1))]
    return [image for strip in strips for image in to_images(strip, brightest(x))], labels


def changed_window(config: Config, data: Data, rows: Rows) -> Image.Image:
    """The first column of one window, as it is and then with several random changes of training."""
    x, _ = rows.take(torch.tensor([len(rows) // 2]))
    draws = [x.float(), *augmented(config, data, x, SEVERAL)]
    lines = torch.stack([draw.reshape(len(draw[0]), -1)[:, 0] for draw in draws], dim=1)
    return plot(lines.numpy(), ["as it is", *(f"changed, {n}" for n in range(1, len(draws)))], [])


def augmented(config: Config, data: Data, x: Tensor, times: int) -> list[Tensor]:
    """Raw inputs as the transform changes them in training, with several draws for the same batch."""
    transform: Any = build(config.tree.transform, config=config)
    if not isinstance(transform, Augmenting):
        raise NnError(
            f"transform._target_ is {type(transform).__name__}, which has no augmented(); see docs/guide/data.md"
        )
    if isinstance(transform, Fitted):
        transform.fit(data.parts["train"].inputs)
    draws: list[Tensor] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(config.tree.seed))
        while len(draws) < times:
            draw = transform.augmented(x)
            views = draw.unbind(1) if draw.dim() > x.dim() else [draw]
            draws += [view.float() for view in views]
    return draws[:times]


def lines(data: Data, rows: Windows) -> Image.Image:
    """The whole series, coloured by the part in which its steps are evaluated."""
    values = rows.values.reshape(len(rows.values), -1).double().numpy()
    names = column_names(data, values.shape[1])[:MOST]
    ends = [
        int(part.starts.max()) + part.offset + part.ahead
        for name, part in data.parts.items()
        if name != "test" and isinstance(part, Windows) and len(part)
    ]
    return plot(values[:, : len(names)], names, sorted(ends))


def spark(data: Data, column: int, width: int) -> str:
    """A column of a series in characters."""
    rows = data.parts["train"]
    assert isinstance(rows, Windows)
    return sparkline(rows.values.reshape(len(rows.values), -1)[:, column].double().numpy(), width)
