"""The trade-off of shrinking a net as a picture: its metric over size and over speed, a point for each setting."""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from nncli.insight.pictures import COLOURS, INK, PAPER

WIDE, TALL = 460, 340  # pixels of a panel
LEFT, EDGE, SIZE = 70, 40, 12  # room for the numbers of the axis, around a panel, and of a letter
PALE = (225, 225, 225)
Point = tuple[float, float, str]
Box = tuple[float, float, float, float]  # left, top, right, bottom


def picture(rows: Sequence[Mapping[str, Any]], metric: str) -> Image.Image:
    """Two panels; settings without measurements are left out. Without a metric, the difference of the answers."""
    measured = [row for row in rows if "failed" not in row]
    sheet = Image.new("RGB", (2 * (WIDE + LEFT + EDGE), TALL + 3 * EDGE), PAPER)
    named = all(metric in row["metrics"] for row in measured)
    title = metric if named else "largest difference"
    for place, (key, unit, scale) in enumerate(
        (("bytes", "MB", 1e-6), ("samples_per_s", "thousand samples per second", 1e-3))
    ):
        points = [
            (row[key] * scale, row["metrics"][metric] if named else row["largest_difference"], row["setting"])
            for row in measured
        ]
        _panel(sheet, place * (WIDE + LEFT + EDGE) + LEFT, f"{title} over {unit}", points)
    return sheet


def _panel(sheet: Image.Image, left: int, title: str, points: Sequence[Point]) -> None:
    """One panel, with a logarithmic horizontal axis."""
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(SIZE)
    pen.text((left, EDGE // 3), title, INK, font)
    xs, ys = [math.log(x) for x, _, _ in points], [y for _, y, _ in points]
    low_x, high_x, low_y, high_y = *_wider(xs), *_wider(ys)
    bottom = EDGE + TALL
    for part in range(5):
        y, x = bottom - TALL * part // 4, left + WIDE * part // 4
        pen.line([(left, y), (left + WIDE, y)], PALE)
        pen.line([(x, EDGE), (x, bottom)], PALE)
        pen.text((left - LEFT + 4, y - SIZE // 2), f"{low_y + (high_y - low_y) * part / 4:.4g}", INK, font)
        pen.text((x - SIZE, bottom + 6), f"{math.exp(low_x + (high_x - low_x) * part / 4):.3g}", INK, font)
    taken: list[Box] = []
    for log, y, (_, _, name) in zip(xs, ys, points, strict=True):
        at = left + WIDE * (log - low_x) / (high_x - low_x), bottom - TALL * (y - low_y) / (high_y - low_y)
        pen.ellipse([at[0] - 4, at[1] - 4, at[0] + 4, at[1] + 4], _colour(name))
        _label(pen, at, name, font, taken, left + WIDE)


def _label(
    pen: ImageDraw.ImageDraw,
    at: tuple[float, float],
    name: str,
    font: Any,
    taken: list[Box],
    right: float,
) -> None:
    """A name beside its point, where no other name is, and not beyond the edges."""
    wide = pen.textlength(name, font)
    places = product((0, -1, 1, -2, 2, -3, 3, -4, 4), (at[0] + 7, at[0] - 7 - wide))
    boxes = [(left, at[1] + (down - 0.5) * SIZE, left + wide, at[1] + (down + 0.5) * SIZE) for down, left in places]
    inside = [box for box in boxes if right - WIDE < box[0] and box[2] < right]
    free = (box for box in inside if all(_apart(box, other) for other in taken))
    box = next(free, inside[0])
    taken.append(box)
    pen.text(box[:2], name, INK, font)


def _apart(box: Box, other: Box) -> bool:
    return box[0] > other[2] or box[2] < other[0] or box[1] > other[3] or box[3] < other[1]


def _wider(values: Sequence[float]) -> tuple[float, float]:
    """The range of the values and a tenth more on both sides."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    more = (high - low) / 10 or abs(high) / 10 or 1.0
    return low - more, high + more


def _colour(setting: str) -> tuple[int, int, int]:
    """By kind: unchanged, quantized, pruned, or both."""
    kinds = (INK, COLOURS[0], COLOURS[1], COLOURS[2])
    return kinds[2 * ("pruned" in setting) + (setting.split(", ")[-1] in ("dynamic", "static", "weight-only"))]
