"""Whatever value stands at whatever key, what is wrong with it is said, and nothing is raised."""

import copy
from dataclasses import replace
from functools import cache
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from nncli.config.compose import Config, compose
from nncli.config.origin import Origin
from nncli.config.reference import at, faults
from nncli.errors import ConfigError
from nncli.run.assemble import problems
from nncli.run.fit import fit_words

SECTIONS = ("trainer", "data", "loader", "checkpoint")
PARTS = ("${model}", "${data}", "${optimizer}", "${trainer}", "${task}", "${regularization}")
ELSEWHERE = ("${model.width}", "${data.input_shape}", "${seed}", "${test}", "${model._target_}", "${data.split.seed}")
NUMBERS: tuple[Any, ...] = (None, True, -1, 0, 1.5, float("nan"), float("inf"), 10**30)
OTHERS: tuple[Any, ...] = ("", "abc", [], {}, [1, [2]], {"a": 1})
INSIDE: tuple[Any, ...] = (["${model}"], {"a": "${model}"}, "${data}x", {"_target_": "torch.nn.Linear"})
VALUES = (*PARTS, *ELSEWHERE, *NUMBERS, *OTHERS, *INSIDE)


@cache
def composed() -> Config:
    return compose(["recipe=digits_cnn"])


def plain() -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(composed().tree, resolve=False))


def keys() -> list[str]:
    """The sections and every key in them, and the settings at the root."""
    tree = plain()
    inside = [f"{section}.{name}" for section in SECTIONS for name in tree[section]]
    return [*inside, *tree, "optimizer.lr", "model.width", "scheduler._target_", "optimizer._target_"]


def with_value(key: str, value: Any, kind: str) -> Config:
    """The config with one value, as a word or as a file sets it; what refers to nothing is cut as compose cuts it."""
    tree, (parent, _, last) = copy.deepcopy(plain()), key.rpartition(".")
    (at(tree, parent) if parent else tree)[last] = copy.deepcopy(value)
    for broken in faults(tree):
        above, _, name = broken.rpartition(".")
        node: Any = at(tree, above) if above else tree
        node[int(name) if isinstance(node, list) else name] = None
    origin = Origin("word", None, 0, f"{key}=…")
    origins = {**composed().origins} | ({key: origin} if kind == "word" else {})
    return replace(composed(), tree=OmegaConf.create(tree), origins=origins)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(keys()), st.sampled_from(VALUES), st.sampled_from(("word", "file")))
def test_a_value_is_reported_never_raised(key: str, value: Any, kind: str) -> None:
    for problem in problems(with_value(key, value, kind)):
        assert problem.key
        assert problem.text


@pytest.mark.slow
@pytest.mark.parametrize("key", keys())
def test_each_value_at_each_key_is_reported_never_raised(key: str) -> None:
    for value in VALUES:
        for problem in problems(with_value(key, value, "word")):
            assert problem.key
            assert problem.text


@pytest.mark.parametrize("key", ["data.batch_size", "trainer.devices", "trainer.accelerator", "trainer.max_epochs",
    "trainer.accumulate", "loader.workers", "checkpoint.keep", "seed"])  # fmt: skip
@pytest.mark.parametrize("value", ["${model}", "${data}", "${optimizer}"])
def test_a_part_where_a_number_is_due_is_reported_at_the_key_that_refers_to_it(key: str, value: str) -> None:
    section = value[2:-1]
    if key.startswith(section):
        (problem,) = compose([f"{key}={value}"]).problems
        assert (problem.key, problem.code) == (key, "circular-reference")
        return
    for kind in ("word", "file"):
        found = problems(with_value(key, value, kind))
        assert [(problem.key, problem.value, problem.code) for problem in found] == [(key, value, "wrong-value")]


def test_a_wrong_value_that_a_file_refers_to_is_reported_where_it_is_set() -> None:
    (problem,) = problems(compose(["regularization.ema=2"]))
    assert problem.key == "regularization.ema"


@pytest.mark.parametrize("word", ["trainer.devices=${seed}", "trainer.max_epochs=${trainer.max_steps}"])
def test_a_typed_reference_to_a_value_that_does_not_fit_is_reported_itself(word: str) -> None:
    (problem,) = problems(compose([word]))
    assert f"{problem.key}={problem.value}" == word
    assert problem.where == "you typed it"


@pytest.mark.parametrize("words", [["seed=${seed}"], ["model.width=${model.depth}", "model.depth=${model.width}"]])
def test_references_in_a_circle_are_reported(words: list[str]) -> None:
    config = compose(words)
    assert any(problem.code == "circular-reference" for problem in config.problems)
    with pytest.raises(ConfigError):
        raise ConfigError(problems(config))


LIMITS = [("seed", 2**63 - 1), ("data.split.seed", 2**63 - 1), ("trainer.timeout", 365 * 24 * 3600)]


@pytest.mark.parametrize(("key", "most"), LIMITS)
def test_a_number_that_no_library_takes_is_reported_and_the_largest_that_may_be_is_trained_with(
    key: str, most: int
) -> None:
    for over in (most + 1, 10**30, -1):
        (problem,) = problems(compose([f"{key}={over}"]))
        assert (problem.key, problem.where) == (key, "you typed it")
    assert problems(compose(["trainer.timeout=1e300"]))
    fit_words(["model.width=4", "trainer.max_steps=1", f"{key}={most}"], show="quiet")
