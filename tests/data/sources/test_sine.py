"""The made-up sine."""

from typing import Any

import pytest
import torch

from nncli.config.suits import suits
from nncli.data.sources.sine import Sine
from tests.data.choices import chosen


def sine(**changed: Any) -> Sine:
    data = chosen("sine", **changed)
    data.setup()
    return data


def test_a_sine_repeats_itself_after_its_period() -> None:
    x, y = sine(noise=0.0, length=25, horizon=25).parts["train"].span(0, 100)
    assert torch.allclose(x, y, atol=1e-4)
    assert x.max() == pytest.approx(1, abs=0.01)


def test_its_noise_is_what_its_seed_draws() -> None:
    one, again, other = (sine(seed=seed).parts["train"].span(0, 50)[0] for seed in (0, 0, 1))
    assert torch.equal(one, again)
    plain = sine(noise=0.0).parts["train"].span(0, 50)[0]
    assert (one - plain).std() == pytest.approx(0.1, abs=0.03)
    assert not torch.equal(one, other)


def test_everything_left_open_is_found() -> None:
    data = sine(length=30)
    assert data.inferred() == {"num_targets": 1, "input_shape": [30, 1], "num_classes": None}
    assert suits(data.traits())["task"] == "forecast"
    assert data.where("val", 0).startswith("the sine, lines 1370 to")


def test_folds_are_evaluated_on_one_stretch_after_another() -> None:
    first, last = (sine(split={"fold": [i, 3]}).where("test", 0) for i in (0, 2))
    assert int(first.split()[3]) < int(last.split()[3])
