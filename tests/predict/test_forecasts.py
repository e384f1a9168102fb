"""The plot of a forecast, and what is said of a series that cannot be forecast."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nncli.insight.drawing import Line
from nncli.insight.forecast_plot import NAIVE, SEASON, forecast_plot
from tests.predict.conftest import Predict, Run


def written(rows: int, name: str = "new.csv") -> list[str]:
    """The lines of a file that is forecast, which gets the name."""
    lines = ["time,north,south", *(f"2024-02-01 {i // 60:02}:{i % 60:02},{i},{-i}" for i in range(rows))]
    Path(name).write_text("\n".join(lines) + "\n")
    return lines


def test_a_forecast_is_drawn_beside_the_naive_one(run: Run, predict: Predict) -> None:
    written(20)
    done = predict(run("series"), "new.csv", "--plot", "forecast.png")
    assert (done.code, done.err) == (0, "plot: forecast.png\n"), done.err
    assert done.out.startswith("file,step,time,north,south\nnew.csv,1,2024-02-01 00:20,")
    first = Image.open("forecast.png").convert("RGB")
    assert {(214, 39, 40), (31, 119, 180)} <= {colour for _, colour in first.getcolors(1 << 24) or []}
    assert predict(run("series"), "new.csv", "--plot", "forecast.png").code == 0, "its own picture is replaced"


def test_the_naive_lines_are_the_last_value_and_the_last_season() -> None:
    past = np.arange(12.0)[:, None]
    drawing = forecast_plot(past, np.zeros((6, 1)), ["sales"], "x.csv", period=4)
    lines = {shape.colour: shape for shape in drawing.shapes if isinstance(shape, Line) and len(shape.points) == 7}
    assert len({y for _, y in lines[NAIVE].points}) == 1
    heights = [-y for _, y in lines[SEASON].points]
    assert np.argsort(heights, kind="stable").tolist() == [1, 5, 2, 6, 3, 0, 4], "11, then 8 9 10 11 8 9"
    plain = forecast_plot(past, np.zeros((6, 1)), ["sales"], "x.csv", period=40)
    assert not [shape for shape in plain.shapes if isinstance(shape, Line) and shape.colour == SEASON]


@pytest.mark.parametrize(
    ("kind", "words", "message"),
    [
        ("table", ["x.csv", "--plot", "p.png"], "--plot draws forecasts of a time series; .* returns: probabilities"),
        ("series", ["new.csv", "new.csv", "--plot", "p.png"], "--plot draws the forecast of one file; got 2"),
        ("series", ["new.csv", "--plot", "new.csv"], r"new\.csv exists and was not drawn by nn; name .* with --plot"),
        ("series", ["new.csv", "--plot", "no/p.png"], "--plot is no/p.png: the folder no does not exist"),
    ],
)
def test_what_cannot_be_drawn_is_refused(kind: str, words: list[str], message: str, run: Run, predict: Predict) -> None:
    written(20)
    Path("x.csv").write_text("age,job,since\n30,cook,2015-05-01\n")
    done = predict(run(kind), *words)
    assert (done.code, done.out) == (1, "")
    assert re.search(message, done.err), done.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:5], "it has 4 rows, and a forecast is made from the last 6"),
        (lambda lines: [*lines[:9], lines[10], lines[9], *lines[11:]], "00:08 does not come after 2024-02-01 00:09"),
        (lambda lines: [*lines[:-1], "2024-02-01 00:09,many,3"], "column 'north' holds 'many', which is not a number"),
        (lambda lines: lines[:1], "has a header and no rows"),
        (lambda lines: [], "new.csv is empty"),
    ],
)
def test_a_series_that_cannot_be_forecast_is_answered_with_one_reason(
    change: Callable[[list[str]], list[str]], message: str, run: Run, predict: Predict
) -> None:
    Path("new.csv").write_text("\n".join(change(written(10))))
    done = predict(run("series"), "new.csv", "--plot", "p.png")
    assert (done.code, done.out) == (1, "")
    assert message in done.err, done.err
    assert len(done.err.splitlines()) <= 2, done.err
    assert not Path("p.png").exists()
