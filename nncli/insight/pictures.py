"""Pictures of data: a grid of images, a plot of series, and both small in a terminal, at two pixels per character.

B images, C channels (1 or 3), H and W pixels.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.text import Text
from torch import Tensor

TILE = 72  # least size of a picture in a grid, in pixels; small ones are enlarged by integer factors
GAP = 6  # pixels between two pictures
LINE = 12  # pixels of a line of text
INK, PAPER = (40, 40, 40), (255, 255, 255)
PALETTE = (
    *((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189)),
    *((140, 86, 75), (227, 119, 194), (127, 127, 127), (188, 189, 34), (23, 190, 207)),
)
COLOURS = PALETTE[:3]  # train, val, test
FRAME = (200, 200, 200)
FEW = 16  # grey levels of scikit-learn's digits
Line = Sequence[tuple[float, float]]  # points
BARS = "▁▂▃▄▅▆▇█"


def brightest(x: Tensor) -> float:
    """The value of white in these images: 255, or the largest value of images with few grey levels."""
    top = float(x.max())
    return top if 0 < top <= FEW else 255.0


def to_images(x: Tensor, white: float = 255.0) -> list[Image.Image]:
    """Images (B, C, H, W) with values from 0 to `white`; others are clipped."""
    pixels = (x.float() * (255 / white)).clamp(0, 255)
    grey = pixels.round().byte().movedim(1, 3).numpy()
    grey = grey if grey.shape[3] in (1, 3) else grey[..., :1]
    return [Image.fromarray(one[..., 0] if one.shape[2] == 1 else one).convert("RGB") for one in grey]


def grid(images: Sequence[Image.Image], labels: Sequence[str], width: int) -> Image.Image:
    """The images in rows of `width`, each with its label below."""
    tall, wide = max(i.height for i in images), max(i.width for i in images)
    scale = max(1, -(-TILE // max(tall, wide)))
    across, down = wide * scale + GAP, tall * scale + GAP + LINE
    lines = -(-len(images) // width)
    sheet = Image.new("RGB", (across * min(width, len(images)) + GAP, down * lines + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, (image, label) in enumerate(zip(images, labels, strict=True)):
        at = (GAP + place % width * across, GAP + place // width * down)
        sheet.paste(image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST), at)
        _write(pen, (at[0], at[1] + tall * scale), label, across - GAP)
    return sheet


def half_blocks(images: Sequence[Image.Image], columns: int, height: int = 28) -> Text:
    """As many of the images side by side as fit into `columns` characters; each character is two pixels."""
    small = [i.resize((max(1, i.width * height // i.height), height)) if i.height > height else i for i in images]
    strip, used = [], 0
    for image in small:
        if used + image.width > columns:
            break
        strip.append(np.asarray(image))
        used += image.width + 1
    text = Text()
    for row in range(0, max((len(one) for one in strip), default=0), 2):
        for pixels in strip:
            for above, below in zip(pixels[row], pixels[min(row + 1, len(pixels) - 1)], strict=True):
                text.append("▀", style=f"rgb({_rgb(above)}) on rgb({_rgb(below)})")
            text.append(" ")
        text.append("\n")
    return text


def plot(
    series: np.ndarray, names: Sequence[str], bounds: Sequence[int], size: tuple[int, int] = (900, 90)
) -> Image.Image:
    """Each column of a series (T, F) as a line in a strip of its own; `bounds` are the steps where the parts end."""
    wide, tall = size
    sheet = Image.new("RGB", (wide, len(names) * (tall + LINE + GAP) + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, name in enumerate(names):
        top = GAP + place * (tall + LINE + GAP)
        low, high = _limits(series[:, place], wide)
        least, most = float(np.nanmin(low)), float(np.nanmax(high))
        reach = (most - least) or 1.0
        _write(pen, (GAP, top), f"{name}: {least:.4g} to {most:.4g}", wide)
        for column, (a, b) in enumerate(zip(low, high, strict=True)):
            if np.isfinite(a) and np.isfinite(b):
                step = column * len(series) // len(low)
                colour = COLOURS[min(int(np.searchsorted(bounds, step, side="right")), len(COLOURS) - 1)]
                y = [top + LINE + tall - 1 - int((value - least) / reach * (tall - 1)) for value in (a, b)]
                pen.line([(column, y[0]), (column, y[1] - 1)], fill=colour)
    return sheet


def overlay(
    panels: Mapping[str, Sequence[Line]],
    names: Sequence[str],
    size: tuple[int, int] = (900, 300),
) -> Image.Image:
    """Panels in which every line has its own colour; the names of the lines stand at the end."""
    wide, tall = size
    sheet = Image.new("RGB", (wide, len(panels) * (tall + LINE + 2 * GAP) + len(names) * LINE + 2 * GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, (title, lines) in enumerate(panels.items()):
        top = GAP + place * (tall + LINE + 2 * GAP)
        points = np.array([point for line in lines for point in line])
        (left, least), (right, most) = points.min(axis=0), points.max(axis=0)
        _write(pen, (GAP, top), f"{title}: {least:.4g} to {most:.4g}, step {left:.0f} to {right:.0f}", wide)
        box = (GAP, top + LINE, wide - GAP, top + LINE + tall)
        pen.rectangle(box, outline=FRAME)
        reach = np.array([right - left or 1.0, most - least or 1.0])
        room = np.array([box[2] - box[0] - 2, box[3] - box[1] - 2])
        for colour, line in zip(itertools.cycle(PALETTE), lines, strict=False):
            at = (np.array(line).reshape(-1, 2) - (left, least)) / reach * room
            xy = [(box[0] + 1 + x, box[3] - 1 - y) for x, y in at]
            pen.line(xy, fill=colour, width=2) if len(xy) > 1 else pen.point(xy, fill=colour)
    for row, (colour, name) in enumerate(zip(itertools.cycle(PALETTE), names, strict=False)):
        top = sheet.height - GAP - (len(names) - row) * LINE
        pen.line([(GAP, top + LINE // 2), (5 * GAP, top + LINE // 2)], fill=colour, width=3)
        _write(pen, (6 * GAP, top), name, wide - 7 * GAP)
    return sheet


def sparkline(values: np.ndarray, width: int) -> str:
    """A column of a series as one line of characters."""
    means = np.array([piece.mean() for piece in np.array_split(values, min(width, len(values)))])
    if not np.isfinite(means).all():
        means = np.nan_to_num(means, nan=float(np.nanmin(means)) if np.isfinite(means).any() else 0.0)
    reach = (means.max() - means.min()) or 1.0
    return "".join(BARS[int((value - means.min()) / reach * (len(BARS) - 1))] for value in means)


def _limits(values: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest value of the steps of each pixel column."""
    pieces = np.array_split(values, min(width, len(values)))
    return np.array([piece.min() for piece in pieces]), np.array([piece.max() for piece in pieces])


def _rgb(pixel: np.ndarray) -> str:
    return ",".join(str(int(value)) for value in pixel)


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, room: int) -> None:
    """A label, cut to its room; characters that the font lacks become question marks."""
    font = ImageFont.load_default(10)
    plain = text if isinstance(font, ImageFont.FreeTypeFont) else text.encode("latin-1", "replace").decode("latin-1")
    while plain and pen.textlength(plain, font=font) > room:
        plain = plain[:-1]
    pen.text(at, plain, fill=INK, font=font)
