"""What words with several values mean, and which of them no trial could have."""

import math

import pytest

from nncli.errors import ConfigError
from nncli.sweep.settings import settings
from nncli.sweep.space import Between, Choice, check, space

MLP = "recipe=digits_mlp"


def test_words_of_hydras_grammar_are_choices_and_numbers_between() -> None:
    found = space(
        [
            MLP,
            "optimizer=adamw,sgd",
            "optimizer.lr=tag(log, interval(1e-4, 1e-1))",
            "model.width=16,32",
            "model.depth=range(1,5)",
            "regularization.dropout=interval(0,0.5)",
            "data.batch_size=int(interval(16,64))",
            "transform=glob(none*)",
            "trainer.grad_clip=range(0.5,2,0.5)",
        ]
    )
    assert found.fixed == [MLP]
    assert found.groups == {"optimizer": Choice(("adamw", "sgd")), "transform": Choice(("none",))}
    assert found.keys == {
        "optimizer.lr": Between(1e-4, 1e-1, None, log=True),
        "model.width": Choice(("16", "32")),
        "model.depth": Between(1, 4, 1, whole=True),
        "regularization.dropout": Between(0, 0.5),
        "data.batch_size": Between(16, 64, None, whole=True),
        "trainer.grad_clip": Between(0.5, 1.5, 0.5),
    }
    assert found.size() == math.inf


def test_a_key_of_one_choice_is_searched_with_that_choice_only() -> None:
    found = space([MLP, "optimizer=adamw,sgd", "optimizer.momentum=0.8,0.9", "model.width=16,32"])
    assert check(found).tree.optimizer._target_ == "torch.optim.AdamW"
    grid = list(found.grid())
    assert len(grid) == found.size() == 6
    assert [("optimizer.momentum" in one) for one in grid] == [one["optimizer"] == "sgd" for one in grid]
    assert found.words(grid[-1]) == [MLP, "optimizer=sgd", "optimizer.momentum=0.9", "model.width=32"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("model.widht=1,2", "Did you mean model.width"),
        ("optimizer=adamw,sgdd", "Did you mean optimizer=sgd|no such optimizer"),
        ("model.width=range(4,4)", "empty range"),
        ("optimizer.lr=interval(1,1)", "empty interval"),
        ("optimizer.lr=tag(log,interval(0,1))", "larger than 0"),
        ("model.width=range(1,100000)", "more than 1,000 values"),
        ("model.width=choice(1,interval(0,1))", "model.width"),
    ],
)
def test_what_no_trial_could_have_is_refused(word: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check(space([MLP, word]))


def test_a_key_is_set_once() -> None:
    with pytest.raises(ConfigError, match="set twice"):
        space([MLP, "model.width=8", "model.width=16,32"])


def test_an_interval_is_no_grid() -> None:
    with pytest.raises(ConfigError, match="an interval has no end of values"):
        list(space([MLP, "optimizer.lr=interval(0,1)"]).grid())


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("sweep=grdi", "Did you mean grid"),
        ("sweep.trails=3", "Did you mean sweep.trials"),
        ("sweep.trials=0", "a whole number, 1 or more or null"),
        ("sweep.pruner=meadian", "one of none, median, hyperband, asha"),
    ],
)
def test_words_of_the_sweep_itself_are_checked(word: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        settings([MLP, word])


def test_words_of_the_sweep_are_not_those_of_the_runs() -> None:
    how, rest = settings([MLP, "sweep=grid", "sweep.workers=3", "model.width=1,2"])
    assert (how.method, how.workers, how.trials) == ("grid", 3, None)
    assert rest == [MLP, "model.width=1,2"]
