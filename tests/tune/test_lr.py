"""The range test: what it measures, what it suggests, and that a net trains at the suggestion."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from nncli.config.compose import compose
from nncli.errors import NnError
from nncli.run.fit import fit_words, prepared
from nncli.run.learner import Means
from nncli.run.screen import Screen
from nncli.tune.lr import Curve, Rising, diverged, drawn, picture, range_test, suggest, tuned
from tests.tasks.duel import duel

QUIET = Screen("quiet")
PLAIN = ["recipe=wine_mlp", "regularization=none", "trainer.precision=32"]  # no dropout: a batch may be cut at will


def measured(*words: str, low: float = 1e-5, high: float = 10.0, steps: int = 30) -> Curve:
    config, parts = prepared(compose(list(words)), QUIET)
    return range_test(config, parts, low, high, steps)


def made(losses: Any, ended: str = "") -> Curve:
    losses = np.array(losses, dtype=float)
    return Curve(np.geomspace(1e-6, 1, len(losses)), losses, ended, len(losses))


def valley(noise: float = 0.0) -> np.ndarray:
    """Falls from 2 to 1 between 1e-4 and 1e-2, rises again from 1e-1 on."""
    at = np.linspace(-6, 0, 100)
    loss = 2 - np.clip((at + 4) / 2, 0, 1) + np.clip(at + 1, 0, 1) * 3
    return loss + noise * np.random.default_rng(0).normal(size=100)


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_suggests_a_rate_near_the_end_of_the_fall_and_before_the_bottom(noise: float) -> None:
    assert 2e-3 <= suggest(made(valley(noise))) <= 6e-3


def test_one_wild_loss_outweighs_nothing() -> None:
    losses = valley()
    losses[-1] = 1e9
    assert suggest(made(losses, "the loss diverged")) == suggest(made(valley()))


def test_tells_why_there_is_no_rate() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(NnError, match="at every rate from 1e-06 to 1: this net does not learn"):
        suggest(made(2 + 0.1 * rng.normal(size=100)))
    with pytest.raises(NnError, match=r"stays at 0\.7"):
        suggest(made(np.full(100, 0.7)))
    with pytest.raises(NnError, match=r"only rises from the lowest rate 1e-06 on.*--low=1e-09"):
        suggest(made(np.linspace(1, 5, 30), "the loss diverged"))
    with pytest.raises(NnError, match="not a finite number from the lowest rate"):
        suggest(made([2.0], "the loss is no longer a finite number"))
    with pytest.raises(NnError, match="only rises"):
        suggest(made([2.0, 900.0], "the loss diverged"))


def test_a_loss_next_to_nothing_may_waver() -> None:
    assert not diverged(np.array([2.0, 0.001, 0.1]))
    assert diverged(np.array([2.0, 0.001, 1.1]))
    assert not diverged(np.array([2.0, 1.0, 3.9]))
    assert diverged(np.array([-1.0, -2.0, 4.1]))


def test_the_rate_rises_by_one_factor_and_groups_keep_their_ratio() -> None:
    groups = [{"lr": 0.1}, {"lr": 0.05}]
    alone = SimpleNamespace(reduce=lambda values, reduce_op: values)
    trainer = cast(Any, SimpleNamespace(optimizers=[SimpleNamespace(param_groups=groups)], strategy=alone))
    watch, learner = Rising(0.1, 1e-4, 1.0, 5), cast(Any, SimpleNamespace(means=Means()))
    watch.on_train_start(trainer, learner)
    seen = []
    for _ in range(5):
        seen.append([group["lr"] for group in groups])
        learner.means.add("loss", torch.tensor(1.0))
        watch.on_step_end(trainer, learner)
    assert [row[0] for row in seen] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    assert all(second == pytest.approx(first / 2) for first, second in seen)
    assert watch.curve().losses.tolist() == [1.0] * 5


def test_ends_when_the_loss_diverges_and_leaves_nothing_behind(tmp_path: Path) -> None:
    curve = measured("recipe=wine_mlp", "optimizer=sgd", high=1e6, steps=60)
    assert len(curve.losses) < 60
    assert "diverged" in curve.ended or "finite number" in curve.ended
    assert np.isfinite(curve.losses).all()
    assert not list(tmp_path.iterdir())


def test_the_schedule_has_no_say_and_devices_and_micro_batches_change_nothing() -> None:
    one = measured(*PLAIN)  # wine has 7 batches an epoch, so that epochs repeat
    assert len(one.losses) == 30 or one.ended
    for words in (["scheduler=one_cycle"], ["trainer.accumulate=4"], ["trainer.devices=2", "trainer.accumulate=2"]):
        other = measured(*PLAIN, *words)
        assert other.losses[:20] == pytest.approx(one.losses[:20], rel=1e-4)


def test_a_net_trains_at_the_suggestion_and_not_at_a_hundred_times_it() -> None:
    words = ["recipe=wine_mlp", "optimizer=sgd"]
    rate = suggest(measured(*words, low=1e-6, steps=100))

    def reached(lr: float) -> float:
        run = fit_words([*words, f"optimizer.lr={lr}", "trainer.max_epochs=10"], show="quiet")
        return run.read(run.summary)["metrics"]["val/accuracy"]

    assert reached(rate) >= 0.95
    assert reached(100 * rate) < 0.8


def test_optimizers_without_such_a_rate_say_so() -> None:
    with pytest.raises(NnError, match="lbfgs determines the length of each step itself"):
        tuned(compose(["optimizer=lbfgs"]))
    with pytest.raises(NnError, match=r"optimizer.lr is 0; the test needs a number above 0"):
        tuned(compose(["optimizer.lr=0"]))
    assert tuned(compose(["optimizer=muon"])) == {"optimizer.lr": 0.02, "optimizer.adam_lr": 0.003}


def test_a_task_with_several_optimizers_has_no_one_rate() -> None:
    config, parts = prepared(compose(["data=moons"]), QUIET)
    with pytest.raises(NnError, match=r"Duel has 2 optimizers \(critic, net\).*other values of optimizer\.lr"):
        range_test(config, replace(parts, task=duel()), 1e-5, 1.0, 10)


def test_the_chart_and_the_picture_mark_the_suggestion() -> None:
    curve = made(valley())
    lines = drawn(curve, 1e-3, 61).splitlines()
    assert lines[-2].index("▲") == 11 + 30  # in the middle of 1e-6 to 1
    assert lines[-1].split() == ["rate", "1e-06", "1"]
    assert max(map(len, drawn(curve, 0.9, 61).splitlines())) <= 11 + 61
    dark = np.asarray(picture(curve, 1e-3).convert("RGB")).astype(int)
    blue, orange = (dark[20:, :, 2] > dark[20:, :, 0] + 80), (dark[20:, :, 0] > dark[20:, :, 2] + 80)
    assert np.flatnonzero(blue.any(axis=0)).max() < np.flatnonzero(orange.any(axis=0)).min()


@pytest.mark.slow
def test_the_suggestion_for_digits_cnn_is_within_one_percent_of_the_best_of_seven() -> None:
    words = ["recipe=digits_cnn"]
    rate = suggest(measured(*words, low=1e-6, steps=100))

    def reached(lr: float) -> tuple[float, float]:
        run = fit_words([*words, f"optimizer.lr={lr:.4g}"], show="quiet")
        metrics = run.read(run.summary)["metrics"]
        return metrics["val/accuracy"], metrics["test/accuracy"]

    swept = {lr: reached(lr) for lr in np.geomspace(1e-4, 1e-1, 7)}
    val, test = reached(rate)
    print(rate, (val, test), swept)
    assert val >= max(v for v, _ in swept.values()) - 0.01
    assert test >= max(t for _, t in swept.values()) - 0.01
