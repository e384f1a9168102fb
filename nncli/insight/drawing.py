"""Plots made of lines, dots, boxes and texts: as SVG, whose parts tell their values on hover, and as a picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from math import ceil, floor, isfinite, log10
from typing import Any, Literal, Protocol

from PIL import Image, ImageDraw, ImageFont

from nncli.errors import printable

INK, FAINT, GRID, PAPER = "#24292f", "#6e7781", "#e4e7eb", "#ffffff"
SIZE = 12  # pixels of a letter
FINE, SHARP = 4, 2  # pixels of a picture per pixel of a drawing: as it is drawn, and then made smaller
Point = tuple[float, float]


class Shape(Protocol):
    def svg(self) -> str: ...
    def paint(self, pen: ImageDraw.ImageDraw) -> None: ...


@dataclass(frozen=True)
class Line:
    """A line through points; `title` is shown on hover."""

    points: Sequence[Point]
    colour: str
    wide: float = 1.0
    title: str = ""

    def svg(self) -> str:
        line = f'<polyline fill="none" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)}"'
        shown = f'{line} stroke="{self.colour}" stroke-width="{self.wide:g}"/>'
        broad = f'{line} stroke="#000" stroke-opacity="0" stroke-width="8"/>'  # easier to point at
        return f"<g>{shown}{broad}{_titled(self.title)}</g>" if self.title else shown

    def paint(self, pen: ImageDraw.ImageDraw) -> None:
        points = [(x * FINE, y * FINE) for x, y in self.points]
        pen.line(points, self.colour, max(1, round(self.wide * FINE)), "curve")


@dataclass(frozen=True)
class Dot:
    """A circle, filled or as an outline."""

    x: float
    y: float
    colour: str
    radius: float = 4.0
    filled: bool = True
    title: str = ""

    def svg(self) -> str:
        fill, edge = (self.colour, PAPER) if self.filled else (PAPER, self.colour)
        place = f'cx="{self.x:.1f}" cy="{self.y:.1f}" r="{self.radius:g}"'
        return f'<circle {place} fill="{fill}" stroke="{edge}">{_titled(self.title)}</circle>'

    def paint(self, pen: ImageDraw.ImageDraw) -> None:
        fill, edge = (self.colour, PAPER) if self.filled else (PAPER, self.colour)
        box = [(self.x - self.radius) * FINE, (self.y - self.radius) * FINE]
        pen.ellipse([*box, *(at + 2 * self.radius * FINE for at in box)], fill, edge, FINE)


@dataclass(frozen=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    wide: float
    tall: float
    colour: str
    title: str = ""

    def svg(self) -> str:
        place = f'x="{self.x:.1f}" y="{self.y:.1f}" width="{self.wide:.1f}" height="{self.tall:.1f}"'
        return f'<rect {place} fill="{self.colour}">{_titled(self.title)}</rect>'

    def paint(self, pen: ImageDraw.ImageDraw) -> None:
        ends = self.x, self.y, self.x + self.wide, self.y + self.tall
        pen.rectangle([at * FINE for at in ends], self.colour)


@dataclass(frozen=True)
class Text:
    """A text that begins, ends or has its middle at a point of its baseline."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "start"
    colour: str = INK
    size: int = SIZE
    bold: bool = False

    def svg(self) -> str:
        weight = ' font-weight="600"' if self.bold else ""
        place = f'x="{self.x:.1f}" y="{self.y:.1f}" text-anchor="{self.anchor}" font-size="{self.size}"{weight}'
        return f'<text {place} fill="{self.colour}">{_safe(self.text)}</text>'

    def paint(self, pen: ImageDraw.ImageDraw) -> None:
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[self.anchor]
        stroke = FINE / 8 if self.bold else 0
        at = (self.x * FINE, self.y * FINE)
        pen.text(at, printable(self.text), self.colour, _font(self.size * FINE), anchor, stroke_width=stroke)


@dataclass
class Drawing:
    """Shapes on white paper, with a title."""

    title: str
    wide: float
    tall: float
    shapes: list[Shape] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.add(Text(10, 20, self.title, size=SIZE + 2, bold=True))

    def add(self, *shapes: Shape) -> None:
        self.shapes += shapes

    def svg(self) -> str:
        size = f'viewBox="0 0 {self.wide:g} {self.tall:g}" width="{self.wide:g}" height="{self.tall:g}"'
        inside = "\n".join(shape.svg() for shape in self.shapes)
        return f'<svg {size} role="img" aria-label="{_safe(self.title)}">\n{inside}\n</svg>'

    def picture(self) -> Image.Image:
        sheet = Image.new("RGB", (round(self.wide * FINE), round(self.tall * FINE)), PAPER)
        pen = ImageDraw.Draw(sheet)
        for shape in self.shapes:
            shape.paint(pen)
        return sheet.resize((round(self.wide * SHARP), round(self.tall * SHARP)), Image.Resampling.BOX)


@dataclass(frozen=True)
class Axis:
    """Where a value is on an axis, from 0 to 1, and the places with their labels."""

    at: Callable[[Any], float]
    ticks: list[tuple[float, str]]


def numbers(low: float, high: float, *, log: bool = False, whole: bool = False, room: float = 0.05) -> Axis:
    """An axis of numbers, with some room beyond both ends."""
    mapped: Callable[[float], float] = log10 if log else float
    start, end = mapped(low), mapped(high)
    more = (end - start) * room if end > start else abs(start) * 0.05 or 0.5
    start, reach = start - more, end - start + 2 * more

    def at(value: float) -> float:
        return (mapped(value) - start) / reach

    edges = (10**start, 10 ** (start + reach)) if log else (start, start + reach)
    marks = _decades(*edges) if log else _even(*edges, whole)
    return Axis(at, [(at(mark), label(mark)) for mark in marks])


def names(values: Sequence[Any]) -> Axis:
    """An axis of names at equal distances."""
    places = {value: (place + 0.5) / len(values) for place, value in enumerate(values)}
    return Axis(places.__getitem__, [(place, str(value)) for value, place in places.items()])


def spread(values: Sequence[float]) -> Axis:
    """An axis of the numbers that there are: logarithmic if the largest is far away from the others."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    whole = all(value == int(value) for value in values)
    return numbers(low, high, log=low > 0 and high > 30 * low, whole=whole)


def _even(low: float, high: float, whole: bool) -> list[float]:
    raw = (high - low) / 6
    power = 10.0 ** floor(log10(raw))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= 0.99 * raw)
    step = max(step, 1) if whole else step
    return [step * count for count in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    first, last = floor(log10(low)), ceil(log10(high))
    factors = (1,) if last - first > 2 else (1, 2, 5) if last - first > 1 else (1, 2, 3, 5, 7)
    every = max(1, (last - first) // 6)
    marks = [factor * 10.0**power for power in range(first, last + 1, every) for factor in factors]
    marks = [mark for mark in marks if low <= mark <= high]
    return marks if len(marks) > 1 else _even(low, high, False)


def frame(
    drawing: Drawing, box: tuple[float, float, float, float], across: Axis, up: Axis, titles: tuple[str, str]
) -> Callable[[Any, Any], Point]:
    """Draw two axes around a box (left, top, width, height); where a pair of values is in it."""
    left, top, wide, tall = box
    ends = -1e9
    for place, text in across.ticks:
        x = left + place * wide
        drawing.add(Line([(x, top), (x, top + tall)], GRID))
        text = clip(text, wide / max(1, len(across.ticks)) - 6)
        half = length(text) / 2
        if x - half > ends:
            drawing.add(Text(x, top + tall + 16, text, "middle", FAINT))
            ends = x + half + 6
    for place, text in up.ticks:
        y = top + (1 - place) * tall
        drawing.add(Line([(left, y), (left + wide, y)], GRID), Text(left - 6, y + 4, text, "end", FAINT))
    drawing.add(Line([(left, top), (left, top + tall), (left + wide, top + tall)], FAINT))
    drawing.add(Text(left + wide / 2, top + tall + 34, clip(titles[0], wide), "middle"))
    drawing.add(Text(left - 6, top - 10, clip(titles[1], wide)))
    return lambda x, y: (left + across.at(x) * wide, top + (1 - up.at(y)) * tall)


def label(value: Any) -> str:
    """A value, short: 26,122 and 0.978 and 1e-4."""
    if not isinstance(value, int | float) or not isfinite(value):
        return str(value)
    if value == round(value) and abs(value) < 1e12:
        return f"{value:,.0f}"
    if abs(value) >= 1e-3:
        return f"{value:.4g}"
    digits, _, power = f"{value:.3e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"


def mix(colour: str, other: str, share: float) -> str:
    """A colour between two."""
    pairs = [(int(colour[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def clip(text: str, room: float) -> str:
    """A text that is at most so long; what is left out is an ellipsis in the middle."""
    kept = text
    while len(kept) > 3 and length(kept) > room:
        text = text[: (len(text)) // 2] + text[len(text) // 2 + 1 :]
        kept = text[: len(text) // 2] + "…" + text[len(text) // 2 :]
    return kept


def length(text: str) -> float:
    """How long a text is, in pixels."""
    return _font(SIZE).getlength(printable(text))


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _safe(text: str) -> str:
    return escape(printable(text))


def _titled(title: str) -> str:
    return f"<title>{_safe(title)}</title>" if title else ""
