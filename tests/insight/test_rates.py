"""The learning-rate curve: in characters, as a picture, and by the verb."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from nncli.cli.main import app
from nncli.config.compose import compose
from nncli.errors import NnError
from nncli.insight.rates import chart, picture, rates, steps_of


def test_is_the_rate_that_training_would_have() -> None:
    found = rates(compose(["scheduler=trapezoid", "optimizer.lr=0.5"]), 100)
    assert found[4:80] == pytest.approx([0.5] * 76)
    assert found[0] == pytest.approx(0.1)
    assert found[90] == pytest.approx(0.25)


def test_steps_are_the_trainers_where_it_has_some() -> None:
    assert steps_of(compose([]), None) == 1000
    assert steps_of(compose(["trainer.max_steps=70"]), None) == 70
    assert steps_of(compose(["trainer.max_steps=70"]), 9) == 9


def test_the_chart_stands_high_where_the_rate_is_high() -> None:
    lines = chart([1.0] * 50 + [0.0] * 50, 40).splitlines()
    assert lines[0].split("│") == ["        1 ", "█" * 20]
    assert lines[9].startswith("        0 │████")
    assert lines[-1].split() == ["step", "0", "100"]
    assert all(len(line) <= 51 for line in lines)


def test_a_run_shorter_than_the_screen_fills_it() -> None:
    assert chart([1.0, 1.0], 30).splitlines()[0].endswith("█" * 30)


def test_the_picture_falls_from_left_to_right() -> None:
    dark = np.asarray(picture([1.0, 0.5, 0.0]).convert("L")) < 150
    heights = [dark[20:, column].argmax() for column in (10, 450, 890)]
    assert heights[0] < heights[1] < heights[2]


def test_a_plateau_has_no_curve_and_says_so() -> None:
    with pytest.raises(NnError, match="plateau has no curve"):
        rates(compose(["scheduler=plateau"]), 10)


def test_the_verb_draws_and_writes_a_png(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["config", "show", "--lr", "--steps", "50", "--out", "lr.png", "scheduler=step"])
    assert done.exit_code == 0, done.output
    assert "█" in done.output
    with Image.open(tmp_path / "lr.png") as image:
        assert image.width == 900
