"""The made-up sine."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from nncli.config.suits import suits
from nncli.data.sources.sine import Sine

CONF = Path(__file__).parents[3] / "conf" / "data" / "sine.yaml"


def sine(**changed: Any) -> Sine:
    stated = yaml.safe_load(CONF.read_text()) | changed
    del stated["_target_"]
    data = Sine(**stated)
    data.setup()
    return data


def test_a_sine_repeats_itself_after_its_period() -> None:
    x, y = sine(noise=0.0, length=25, horizon=25).parts["train"].span(0, 100)
    assert torch.allclose(x, y, atol=1e-4)
    assert x.max() == pytest.approx(1, abs=0.01)


def test_its_noise_is_what_the_split_seed_draws() -> None:
    one, again, other = (sine(split_seed=seed).parts["train"].span(0, 50)[0] for seed in (0, 0, 1))
    assert torch.equal(one, again)
    plain = sine(noise=0.0).parts["train"].span(0, 50)[0]
    assert (one - plain).std() == pytest.approx(0.1, abs=0.03)
    assert not torch.equal(one, other)


def test_everything_left_open_is_found() -> None:
    data = sine(length=30)
    assert data.inferred() == {"num_targets": 1, "input_shape": [30, 1], "num_classes": None}
    assert suits(data.traits())["task"] == "forecast"
    assert data.where("val", 0).startswith("the sine, lines 1370 to")
