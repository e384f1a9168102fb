"""The plots of a sweep: importance, history, parallel coordinates, slices and the pareto front."""

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

from optuna.distributions import CategoricalDistribution, IntDistribution

from nncli.insight.drawing import (
    FAINT,
    INK,
    Axis,
    Box,
    Dot,
    Drawing,
    Line,
    Point,
    Text,
    clip,
    frame,
    label,
    length,
    mix,
    names,
    numbers,
    spread,
)
from nncli.sweep.record import Record
from nncli.sweep.trial import Trial

BEST, GOOD, BAD, PRUNED, FAILED = "#e8710a", "#1f5fa8", "#c3d5e8", "#9aa4af", "#cf222e"
HALF, WHOLE, TALL = 480, 972, 300  # pixels of a drawing
GOLDEN = 0.618  # its multiples are spread evenly between whole numbers
ABSENT = -0.09  # where a trial without a key is on its axis


def plots(record: Record) -> dict[str, Drawing]:
    """The drawings by the names of their files; none without a trial that has a result."""
    if not record.complete:
        return {}
    several = len(record.metrics) > 1
    found: dict[str, Drawing] = {}
    for place, metric in enumerate(record.metrics):
        name = f"_{metric.replace('/', '_')}" if several else ""
        found[f"importance{name}"] = importance(record, place)
        found[f"history{name}"] = history(record, place)
    if several:
        found["pareto"] = pareto(record)
    found["parallel"] = parallel(record)
    for place, metric in enumerate(record.metrics):
        name = f"_{metric.replace('/', '_')}" if several else ""
        found[f"slice{name}"] = slices(record, place)
    return found


def importance(record: Record, place: int = 0) -> Drawing:
    """How much of the metric each key explains."""
    shares = record.importance[place]
    drawing = Drawing(f"Importance for {record.metrics[place]}", HALF, max(TALL, 62 + 26 * len(shares)))
    if not shares:
        drawing.add(Text(10, 60, "There are too few complete trials to tell.", colour=FAINT))
    note = f"Share of the variance explained by the key alone (fANOVA, {len(record.complete)} trials)"
    drawing.add(Text(10, 38, note, colour=FAINT, size=11))
    left, wide = 180, HALF - 180 - 60
    top = max(shares.values(), default=1.0) or 1.0
    for row, (key, share) in enumerate(shares.items()):
        y = 56 + 26 * row
        drawing.add(Text(left - 8, y + 13, clip(key, left - 18), "end"))
        drawing.add(Box(left, y, max(1.0, wide * share / top), 18, GOOD, f"{key}: {share:.1%}"))
        drawing.add(Text(left + max(1.0, wide * share / top) + 6, y + 13, f"{share:.1%}", colour=FAINT))
    return drawing


def history(record: Record, place: int = 0) -> Drawing:
    """The metric of each trial, and the best so far."""
    drawing = Drawing("History", HALF, TALL)
    up = _metric(record, place)
    across = numbers(0, max(1, len(record.trials) - 1), whole=True, room=0.02)
    box = (62, 62, HALF - 80, TALL - 108)
    at = frame(drawing, box, across, up, ("trial", record.metrics[place]))
    pick = max if record.directions[place] == "max" else min
    done = [(one.slot, (one.values or [])[place]) for one in record.complete]
    best = list(accumulate((value for _, value in done), pick))
    points = [
        at(slot, y) for (slot, _), before, now in zip(done, [best[0], *best], best, strict=False) for y in (before, now)
    ]
    points.append(at(max(one.slot for one in record.trials), best[-1]))
    drawing.add(Line(points, BEST, 1.5))
    _dots(drawing, record, place, lambda one: one.slot, at, box)
    _legend(drawing, record)
    return drawing


def pareto(record: Record) -> Drawing:
    """The first two metrics of each trial, and the trials than which none is better in both."""
    drawing = Drawing("Pareto front", WHOLE, TALL + 60)
    box = (62, 62, WHOLE - 90, TALL - 48)
    across, up = _metric(record, 1), _metric(record, 0)
    at = frame(drawing, box, across, up, (record.metrics[1], record.metrics[0]))
    front = sorted((one.values or [])[1::-1] for one in record.winners)
    corners = [(x, y) for (x, _), (_, y) in zip(front[1:], front, strict=False)]
    steps = [point for pair in zip(front, corners, strict=False) for point in pair] + front[-1:]
    drawing.add(Line([at(x, y) for x, y in steps], BEST, 1.5))
    _dots(drawing, record, 0, lambda one: one.values[1] if one.values else None, at, box)
    for one in record.winners:
        x, y = at(*(one.values or [])[1::-1])
        drawing.add(Text(x, y - 9, str(one.slot), "middle", size=11))
    _legend(drawing, record)
    return drawing


def slices(record: Record, place: int = 0) -> Drawing:
    """The metric over each key, the most important first."""
    keys, columns = _keys(record), 3
    rows = -(-len(keys) // columns)
    wide, tall = WHOLE / columns, 230
    drawing = Drawing(f"{record.metrics[place]} over each key", WHOLE, 30 + rows * tall)
    up = _metric(record, place)
    for number, key in enumerate(keys):
        left, top = number % columns * wide, 30 + number // columns * tall
        box = (left + 62, top + 32, wide - 78, tall - 82)
        axis = _axis(record.dimensions[key])
        at = frame(drawing, box, axis, up, (key, record.metrics[place]))
        apart = box[2] / len(axis.ticks) / 2 if isinstance(record.dimensions[key], CategoricalDistribution) else 0
        _dots(drawing, record, place, lambda one, key=key: one.picked.get(key), at, box, apart)
    _legend(drawing, record)
    return drawing


def parallel(record: Record) -> Drawing:
    """Each trial as a line through its values, in the colour of its first metric."""
    keys = _keys(record)
    drawing = Drawing("Parallel coordinates", WHOLE, TALL + 70)
    top, bottom, left = 78, TALL + 20, 60
    distance = (WHOLE - left - 100) / (len(keys) + len(record.metrics) - 1)
    axes = {key: _axis(record.dimensions[key], 0.0) for key in keys}
    axes |= {metric: _metric(record, place) for place, metric in enumerate(record.metrics)}
    lacking = {key for key in keys if any(key not in one.picked for one in _ended(record))}
    shade = _shade(record)

    def height(place: float) -> float:
        return bottom - place * (bottom - top)

    lines: list[Line] = []
    for one in _ended(record):
        values = one.picked | record.results(one)
        points = [
            (
                left + distance * at,
                bottom - (axes[name].at(values[name]) if name in values else ABSENT) * (bottom - top),
            )
            for at, name in enumerate(axes)
            if name in values or name in lacking
        ]
        lines.append(Line(points, shade(one), 2.5 if one in record.winners else 1.2, _title(record, one)))
    drawing.add(*lines)
    for at, (name, axis) in enumerate(axes.items()):
        x = left + distance * at
        drawing.add(Line([(x, top), (x, bottom)], INK))
        drawing.add(
            Text(x, top - 12 - 18 * (at % 2), clip(name, 2 * distance - 8), "middle", bold=name in record.metrics)
        )
        for place, text in axis.ticks:
            y = height(place)
            text = clip(text, distance - 24)
            drawing.add(Line([(x, y), (x + 4, y)], INK), Box(x + 5, y - 6, length(text) + 4, 13, "#ffffff"))
            drawing.add(Text(x + 7, y + 4, text, colour=FAINT))
        if name in lacking:
            drawing.add(Text(x, height(ABSENT) + 16, "absent", "middle", FAINT))
    _legend(drawing, record, lines=True)
    return drawing


def _keys(record: Record) -> list[str]:
    """The keys with more than one value, the most important for the first metric first."""
    order = [*record.importance[0], *record.dimensions]
    return [key for key in dict.fromkeys(order) if not record.dimensions[key].single()] or list(record.dimensions)


def _axis(kind: Any, room: float = 0.05) -> Axis:
    if isinstance(kind, CategoricalDistribution):
        return names(kind.choices)
    return numbers(kind.low, kind.high, log=kind.log, whole=isinstance(kind, IntDistribution), room=room)


def _metric(record: Record, place: int) -> Axis:
    return spread([value for one in _ended(record) for value in (one.values or [])[place : place + 1]])


def _ended(record: Record) -> list[Trial]:
    """Those to be drawn, the better ones last."""
    rank = {"failed": 0, "pruned": 1, "complete": 2}
    sign = 1 if record.directions[0] == "max" else -1
    best = {one.slot for one in record.winners}
    there = [*record.complete, *(one for one in record.trials if one.state in ("failed", "pruned"))]
    return sorted(there, key=lambda one: (one.slot in best, rank[one.state], sign * (one.values or [0])[0]))


def _dots(
    drawing: Drawing,
    record: Record,
    place: int,
    across: Callable[[Trial], Any],
    at: Callable[[Any, Any], Point],
    box: tuple[float, float, float, float],
    apart: float = 0.0,
) -> None:
    """A mark for each trial: filled, hollow if pruned, a cross at the bottom if failed.

    `apart` is how far those of one value are spread, in pixels.
    """
    floor = box[1] + box[3]
    anywhere = (record.complete[0].values or [])[place]
    best = {one.slot for one in record.winners}
    for one in _ended(record):
        x, title = across(one), _title(record, one)
        if x is None:
            continue
        off = (one.slot * GOLDEN % 1 - 0.5) * apart
        if one.values:
            left, top = at(x, one.values[place])
            colour = BEST if one.slot in best else PRUNED if one.state == "pruned" else GOOD
            drawing.add(Dot(left + off, top, colour, 5 if one.slot in best else 3.5, one.state != "pruned", title))
        elif one.state == "failed":
            drawing.add(*_cross(at(x, anywhere)[0] + off, floor, title))


def _cross(x: float, y: float, title: str) -> Iterator[Line]:
    for sign in (1, -1):
        yield Line([(x - 4, y - 4 * sign), (x + 4, y + 4 * sign)], FAILED, 1.5, title)


def _shade(record: Record) -> Callable[[Trial], str]:
    """The colour of a trial's line: the better its rank, the darker."""
    ranks = [one.slot for one in _ended(record) if one.state == "complete"]
    best = {one.slot for one in record.winners}

    def colour(one: Trial) -> str:
        if one.state != "complete":
            return FAILED if one.state == "failed" else PRUNED
        return BEST if one.slot in best else mix(BAD, GOOD, ranks.index(one.slot) / len(ranks))

    return colour


def _legend(drawing: Drawing, record: Record, *, lines: bool = False) -> None:
    """What the colours mean, at the right of the title."""
    states = {one.state for one in record.trials}
    entries = [("best" if len(record.metrics) == 1 else "pareto front", BEST)]
    entries += [("better", GOOD), ("worse", BAD)] if lines else [("complete", GOOD)]
    entries += [(name, colour) for name, colour in (("pruned", PRUNED), ("failed", FAILED)) if name in states]
    x = drawing.wide - 14
    for name, colour in reversed(entries):
        x -= length(name)
        drawing.add(Text(x, 20, name, colour=FAINT))
        x -= 10
        if lines:
            drawing.add(Line([(x - 12, 16), (x + 4, 16)], colour, 2.5))
            x -= 12
        elif name == "failed":
            drawing.add(*_cross(x, 16, ""))
        else:
            drawing.add(Dot(x, 16, colour, 4, name != "pruned"))
        x -= 18


def _title(record: Record, one: Trial) -> str:
    """What is shown on hover."""
    state = "" if one.state == "complete" else f", {one.state}"
    facts = record.results(one) | one.picked
    return "\n".join([f"trial {one.slot}{state}", *(f"{key} = {label(value)}" for key, value in facts.items())])
