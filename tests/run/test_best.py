"""What counts as the best judgement of a run."""

import math

import pytest

from nncli.run.best import Best


def test_as_good_is_kept_but_does_not_put_off_early_stopping() -> None:
    best = Best("val/accuracy", "max", patience=2)
    assert best.take({"val/accuracy": 0.9}, 1)
    assert best.take({"val/accuracy": 0.9}, 2)
    assert best.step == 2
    assert best.take({"val/accuracy": 0.9}, 3)
    assert best.given_up


@pytest.mark.parametrize(("mode", "values"), [("max", [0.1, 0.5, 0.3]), ("min", [0.9, 0.2, 0.4])])
def test_the_best_in_either_direction(mode: str, values: list[float]) -> None:
    best = Best("val/x", "max" if mode == "max" else "min", patience=None)
    assert [best.take({"val/x": v}, i) for i, v in enumerate(values)] == [True, True, False]
    assert best.step == 1
    assert not best.given_up


def test_nan_is_never_the_best() -> None:
    best = Best("val/loss", "min", patience=1)
    assert not best.take({"val/loss": math.nan}, 1)
    assert best.take({"val/loss": 3.0}, 2)
    assert not best.take({"val/loss": math.nan}, 3)
    assert best.value == 3.0
