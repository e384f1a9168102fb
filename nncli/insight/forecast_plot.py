"""The plot of a forecast: the steps it was made from, the forecast, and the naive ones.

L past steps, H steps ahead, C columns.
"""

import numpy as np

from nncli.insight.drawing import FAINT, INK, Drawing, Line, Text, clip, frame, numbers

WIDE, TALL = 720.0, 190.0  # of the plot of one column
MOST = 12  # columns that are drawn
BEFORE = 3  # times as many past steps as the forecast has are shown, at least LEAST
LEAST = 24
FORECAST, NAIVE, SEASON = "#1f77b4", "#d62728", "#2ca02c"


def forecast_plot(
    past_LC: np.ndarray, ahead_HC: np.ndarray, names: list[str], title: str, period: float | None = None
) -> Drawing:
    """Each column in a panel of its own; step 0 is the last known one. A season is repeated, if there is one."""
    past_LC = past_LC[-max(BEFORE * len(ahead_HC), LEAST, round(period or 0)) :]
    count = min(len(names), MOST)
    lines = {"known": INK, "forecast": FORECAST, "last value": NAIVE}
    season = max(1, round(period)) if period else None
    if season and season <= len(past_LC):
        lines["last season"] = SEASON
    drawing = Drawing(title, WIDE, 50 + count * (TALL + 60))
    for place, (name, colour) in enumerate(lines.items()):
        drawing.add(
            Line([(70 + 130 * place, 38), (94 + 130 * place, 38)], colour, 2), Text(100 + 130 * place, 42, name)
        )
    for column in range(count):
        past, ahead = past_LC[:, column].astype(float), ahead_HC[:, column].astype(float)
        drawn = {"known": past, "forecast": ahead, "last value": np.full(len(ahead), past[-1])}
        if season and "last season" in lines:
            drawn["last season"] = past[np.arange(len(ahead)) % season - season]
        low, high = (float(f([f(values) for values in drawn.values()])) for f in (np.min, np.max))
        box = (70.0, 70.0 + column * (TALL + 60), WIDE - 90, TALL)
        across = numbers(1 - len(past), len(ahead), whole=True, room=0)
        at = frame(drawing, box, across, numbers(low, high), ("step", clip(names[column], WIDE)))
        drawing.add(Line([at(0, low), at(0, high)], FAINT))
        for name in reversed(drawn):
            values, first = drawn[name], 1 - len(past) if name == "known" else 0
            values = values if name == "known" else np.concatenate([past[-1:], values])
            points = [at(first + step, float(value)) for step, value in enumerate(values)]
            drawing.add(Line(points, lines[name], 2 if name in ("known", "forecast") else 1.2))
    return drawing
