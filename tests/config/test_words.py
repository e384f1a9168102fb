"""Any words at all: either they are right or problems say why; nothing raises, nothing hangs."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncli.config.check import check
from nncli.config.compose import compose, freeze
from nncli.errors import Problem
from tests.config.sections import SECTIONS

KEYS = [
    "recipe",
    "model",
    "model.width",
    "model@x",
    "model@x.y",
    "data",
    "data.batch_size",
    "optimizer",
    "optimizer.lr",
    "optimizer.betas.0",
    "task",
    "task.net",
    "task.net.width",
    "transform.augment",
    "transform.augment.0",
    "trainer.precision",
    "logger",
    "checkpoint",
    "seed",
    "name",
    "regularization",
    "regularization.ema",
    "model._target_",
    "hydra",
    "hydra.run",
    "a",
    "a.b",
    "../x",
    "conf/model",
]
VALUES = [
    "",
    "1",
    "-1",
    "1e-3",
    "true",
    "null",
    "inf",
    "nan",
    "mlp",
    "resnet",
    "digits_mlp",
    "./x.yaml",
    "lots",
    "a b",
    "x=y",
    "'x'",
    '"y"',
    "[1,2]",
    "[]",
    "{}",
    "{a:1}",
    "{a:{b:[1]}}",
    "1,2",
    "choice(a,b)",
    "range(1,5)",
    "glob(*)",
    "sort(1,2)",
    "shuffle([1,2])",
    "tag(a,1)",
    "int(3)",
    "${model}",
    "${model.width}",
    "${a}",
    "${a.b}x",
    "${oc.env:HOME}",
    "${",
    "$",
    "???",
    "[[[[",
    "\\",
    "'",
    '"',
    "os.system",
    "torch.nn.Linear",
    "{_target_:os.system}",
    "{_target_:torch.nn.Linear}",
]
likely = st.builds(
    lambda sign, key, equals, value: f"{sign}{key}{equals}{value}",
    st.sampled_from(["", "", "", "+", "++", "~"]),
    st.sampled_from(KEYS) | st.text(max_size=8),
    st.sampled_from(["=", "=", "=", "", "=="]),
    st.sampled_from(VALUES) | st.text(max_size=12),
)
lists_of_words = st.lists(likely | st.text(max_size=40), max_size=4)
fuzzed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


def judge(words: list[str]) -> None:
    """Compose and check; a config without problems freezes and composes again."""
    start = time.process_time()
    config = compose(words)
    found = check(config, SECTIONS)
    assert all(isinstance(problem, Problem) and problem.text and problem.where is not None for problem in found)
    freeze(config)
    assert time.process_time() - start < 10


@settings(fuzzed, max_examples=300)
@given(lists_of_words)
def test_no_words_raise_or_hang(words: list[str]) -> None:
    judge(words)


@pytest.mark.slow
@settings(fuzzed, max_examples=10_000)
@given(lists_of_words)
def test_no_words_raise_or_hang_ten_thousand_times(words: list[str]) -> None:
    judge(words)


@settings(fuzzed, max_examples=50)
@given(st.integers(1, 4096), st.floats(1e-6, 10), st.sampled_from(["mlp", "linear"]), st.integers(0, 2**31))
def test_valid_words_are_accepted(batch: int, lr: float, model: str, seed: int) -> None:
    config = compose([f"data.batch_size={batch}", f"optimizer.lr={lr}", f"model={model}", f"seed={seed}"])
    assert check(config, SECTIONS) == []
    assert (config.tree.data.batch_size, config.tree.optimizer.lr, config.tree.seed) == (batch, lr, seed)


@settings(fuzzed, max_examples=100)
@given(text=st.text(alphabet=" \n:-{}[],&*!|>'\"#%@`ab1.$~?", max_size=80))
def test_no_recipe_raises_or_hangs(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("r") / "r.yaml"
    path.write_text(text)
    judge([f"recipe={path}"])
