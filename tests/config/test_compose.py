"""Words to a tree: choices, values, recipes, and what is reported of words that fit nowhere."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from nncli.config.compose import Config, compose, freeze, load_frozen
from nncli.config.search_path import recipes
from nncli.errors import Code, ConfigError, Problem
from nncli.paths import shipped

RECIPE = "defaults:\n  - /train\n  - override /model: resnet\n  - _self_\nmodel: {depth: 34}\ndata:\n  batch_size: 7\n"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "recipes").mkdir()
    path = tmp_path / "recipes" / "mine.yaml"
    path.write_text(RECIPE)
    return path


def reported(words: Sequence[str]) -> dict[str, Problem]:
    return {problem.key: problem for problem in compose(words).problems}


def plain(config: Config) -> object:
    return OmegaConf.to_container(config.tree, resolve=True)


def test_no_words_give_the_root_config() -> None:
    config = compose([])
    assert not config.problems
    assert config.name == "digits_mlp"
    assert config.tree.model.input_shape == [1, 8, 8]


def test_a_run_without_a_recipe_is_named_after_data_and_model() -> None:
    assert compose(["data=wine", "model=linear"]).name == "wine_linear"


def test_one_s_own_recipe_is_found_by_name_and_by_path(mine: Path) -> None:
    for word in ("recipe=mine", "recipe=./recipes/mine.yaml", f"recipe={mine}"):
        config = compose([word])
        assert not config.problems
        assert (config.name, config.tree.model.depth, config.tree.data.batch_size) == ("mine", 34, 7)


def test_choices_and_values_override_the_recipe(mine: Path) -> None:
    config = compose(["recipe=mine", "model=mlp", "~model.depth", "+model.depth=3", "optimizer.betas=[0.5,0.6]"])
    assert [p.key for p in config.problems] == []
    assert (config.tree.model.width, config.tree.model.depth) == (128, 3)
    assert config.tree.optimizer.betas == [0.5, 0.6]


def test_one_s_own_conf_comes_before_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "tiny.yaml").write_text("# Mine.\n_target_: torch.nn.Flatten\n")
    (tmp_path / "conf" / "model" / "linear.yaml").write_text("_target_: torch.nn.Identity\n")
    assert compose(["model=tiny"]).tree.model["_target_"] == "torch.nn.Flatten"
    assert compose(["model=linear"]).tree.model["_target_"] == "torch.nn.Identity"


def test_a_second_net_is_the_same_group_under_another_key() -> None:
    config = compose(["+model@discriminator=mlp", "discriminator.width=5"])
    assert not config.problems
    assert (config.tree.discriminator.width, config.tree.model.width) == (5, 128)


@pytest.mark.parametrize("name", sorted(recipes()))
def test_the_tree_is_what_hydra_itself_composes(name: str) -> None:
    folder = shipped("recipes")
    with initialize_config_dir(str(folder), version_base="1.3"):
        theirs = hydra_compose(name, overrides=[f"hydra.searchpath=[file://{shipped('conf')}]"])
    assert plain(compose([f"recipe={name}"])) == OmegaConf.to_container(theirs, resolve=True)


# word: (code, what the message names)
WRONG: dict[str, tuple[Code, str]] = {
    "model.widht=3": ("unknown-key", "model.width? model takes: input_shape, num_outputs, width"),
    "optimiser=sgd": ("unknown-key", "optimizer=sgd?"),
    "optimiser.lr=1": ("unknown-key", "optimizer.lr?"),
    "model=mpl": ("unknown-choice", "mlp?"),
    "modle@second=mlp": ("unknown-key", "model=mlp?"),
    "model@second=mlp": ("not-in-defaults", "+model@second=mlp"),
    "+data=mnist": ("duplicate", "data=mnist without the plus"),
    "++model=mlp": ("invalid-override", "+model="),
    "~model@second": ("cannot-remove", ""),
    "sede=1": ("unknown-key", "seed=1?"),
    "+optimizer.betas.7=1": ("unknown-key", "list"),
    "~optimizer.betas.0": ("cannot-remove", "list"),
    "optimizer.lr=0.1,0.2": ("invalid-override", "one value"),
    "model=mlp,resnet": ("invalid-override", "one value"),
    "optimizer.lr=range(1,3)": ("invalid-override", "one value"),
    "hydra.run.dir=/tmp": ("reserved-key", "Hydra"),
    "hydra/launcher=x": ("reserved-key", "Hydra"),
    "digits_mlp": ("invalid-override", "recipe=digits_mlp?"),
    "train": ("invalid-override", "key=value, for example optimizer.lr=0.01"),
    "seed=${oc.env:HOME}": ("unsafe-reference", "${model.width}"),
    "model.width=${oc.decode:1}": ("unsafe-reference", "${model.width}"),
    "seed=a b [": ("invalid-override", """'seed="a b ["'"""),
    "model..width=1": ("invalid-override", "key=value"),
    "+seed=1": ("duplicate", "seed=…"),
    "checkpoint=5": ("not-a-value", "checkpoint.minutes="),
    "task.net.width=5": ("not-a-section", "model.width"),
    "seed.x=1": ("not-a-section", "seed is 0"),
    "~nothing": ("unknown-key", ""),
    "~seed=5": ("cannot-remove", "0, not 5"),
    "model=../../secret": ("unknown-choice", "linear"),
    "recipe=digits_mpl": ("unknown-choice", "digits_mlp?"),
    "recipe=./none.yaml": ("unknown-choice", "file"),
    "recipe=./none.yml": ("unreadable-file", ".yaml"),
    "name=../../x": ("wrong-value", "letters"),
    "model.width=" + "[" * 1000: ("too-large", "20"),
    "seed=" + "9" * 20_000: ("too-large", "10,000"),
}


@pytest.mark.parametrize("word", WRONG, ids=lambda word: word[:30])
def test_a_wrong_word_is_reported_with_what_would_be_right(word: str) -> None:
    (problem,) = compose([word]).problems
    code, text = WRONG[word]
    assert (problem.where, problem.code) == ("you typed it", code), problem
    assert text in problem.text


def test_every_wrong_word_is_reported_not_only_the_first() -> None:
    words = list(WRONG)
    keys = [problem.key for problem in compose(words).problems]
    assert len(keys) >= len(words) - 2  # of three recipes only the last counts


def test_the_same_choice_twice_is_reported() -> None:
    problem = reported(["model=mlp", "model=resnet"])["model"]
    assert (problem.code, "model=mlp" in problem.text) == ("duplicate", True)


FAULTY: dict[str, tuple[Code, str]] = {
    "defaults:\n  - /train\n  - override /model: mpl\n": ("unknown-choice", "mlp?"),
    "defaults:\n  - override /model: mlp\n": ("invalid-defaults", "- /train"),
    "defaults:\n  - /train\n  - /train\n": ("duplicate", "model"),
    "defaults:\n  - faulty\n": ("invalid-defaults", ""),
    "defaults:\n  - ../../etc/passwd\n": ("unknown-choice", ""),
    "defaults:\n  - override hydra/launcher: x\n": ("reserved-key", "Hydra"),
    "defaults:\n  - /train\n  - override /model: ${oc.env:HOME}\n": ("unsafe-reference", ""),
    "hydra: {searchpath: ['file:///etc']}\n": ("reserved-key", "Hydra"),
    "defaults: 5\n": ("invalid-defaults", "- model: mlp"),
    "defaults:\n  - [a]\n": ("invalid-defaults", "- model: mlp"),
    "defaults:\n  - {a: b, c: d}\n": ("invalid-defaults", "- model: mlp"),
    "defaults:\n  - /train\n  - _self_\nmodel: {width: '${model.depht}'}\n": ("unknown-reference", "model.depht"),
    "defaults:\n  - /train\n  - _self_\nx: ${y}\ny: ${x}\n": ("circular-reference", ""),
    "defaults:\n  - /train\n  - _self_\nmodel: {width: '${task}'}\n": ("circular-reference", "task"),
    "defaults:\n  - /train\n  - _self_\nextra:\n  x: ???\n": ("missing-key", "extra.x="),
}


@pytest.mark.parametrize("text", FAULTY)
def test_a_faulty_recipe_is_reported_with_its_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "faulty.yaml").write_text(text)
    code, named = FAULTY[text]
    problems = [p for p in compose(["recipe=./faulty.yaml"]).problems if p.where.startswith("faulty.yaml:")]
    assert any(p.code == code and named in p.text for p in problems), problems


BOMBS = {
    "texts": "".join(f"a{i}: '${{a{i + 1}}}${{a{i + 1}}}'\n" for i in range(60)) + "a60: x\n",
    "sections": "".join(f"a{i}: {{x: '${{a{i + 1}}}', y: '${{a{i + 1}}}'}}\n" for i in range(40)) + "a40: {x: 1}\n",
    "chain": "".join(f"a{i}: ${{a{i + 1}}}\n" for i in range(3000)) + "a3000: 1\n",
    "chain, last first": "a3000: 1\n" + "".join(f"a{i}: ${{a{i + 1}}}\n" for i in reversed(range(3000))),
}


@pytest.mark.parametrize("name", BOMBS)
def test_references_that_unfold_without_end_are_cut(name: str, tmp_path: Path) -> None:
    (tmp_path / "bomb.yaml").write_text(BOMBS[name])
    start = time.monotonic()
    config = compose(["recipe=./bomb.yaml"])
    assert config.problems
    assert len(freeze(config)) < 3_000_000
    assert time.monotonic() - start < 10


def test_no_secret_reaches_a_frozen_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    (tmp_path / "r.yaml").write_text("defaults:\n  - /train\n  - _self_\nrun_dir: ${oc.env:SECRET}\n")
    config = compose(["recipe=./r.yaml", "name=${oc.env:SECRET}", "+x=${oc.decode:${oc.env:SECRET}}"])
    assert len(config.problems) == 3
    assert "hunter2" not in freeze(config) + repr(config)


@pytest.mark.parametrize("name", sorted(recipes()))
def test_a_frozen_config_is_a_recipe_that_repeats_the_run(name: str, tmp_path: Path) -> None:
    first = compose([f"recipe={name}", "seed=3", "optimizer.weight_decay=1e-3"])
    path = tmp_path / "config.yaml"
    path.write_text(freeze(first))
    for again in (compose([f"recipe={path}"]), load_frozen(path)):
        assert not again.problems
        assert again.name == name
        assert plain(again) == plain(first)
        assert freeze(again) == freeze(first)


def test_a_frozen_config_keeps_sections_once_and_values_plain(tmp_path: Path) -> None:
    text = freeze(compose(["regularization.dropout=0.25"]))
    assert "net: ${model}" in text
    assert text.count("nncli.models.mlp.MLP") == 1
    assert "dropout: 0.25" in text.split("data:")[0]
    assert text.count("${") == 8, "five parts of the task and three of its updates"


def test_a_frozen_config_has_no_choices_left(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(freeze(compose([])))
    assert reported([f"recipe={path}", "model=resnet"])["model"].code == "frozen-key"
    assert compose([f"recipe={path}", "model.width=3"]).tree.model.width == 3


def test_a_run_accepts_only_words_that_keep_its_record_true(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(freeze(compose([])))
    config = load_frozen(path, ["trainer.max_epochs=60", "model.width=3", "model.widht=3"], allowed=["trainer.max_*"])
    assert config.tree.trainer.max_epochs == 60
    problems = {problem.key: problem for problem in config.problems}
    assert {key: problem.code for key, problem in problems.items()} == {
        "model.width": "frozen-key",
        "model.widht": "unknown-key",
    }
    assert "start a new run" in problems["model.width"].text
    assert "Did you mean model.width" in problems["model.widht"].text


def test_a_damaged_frozen_config_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: !!python/name:os.system\n")
    with pytest.raises(ConfigError, match="tag"):
        load_frozen(path)


def test_each_key_knows_who_set_it(mine: Path) -> None:
    config = compose(["recipe=mine", "model.depth=50", "+data.extra=1"])
    assert config.origins["model.depth"].where == "you typed it"
    before = config.origins["model.depth"].from_file
    assert before is not None
    assert (before.where, before.text) == ("recipes/mine.yaml:5", "34")
    assert config.origins["data.batch_size"].where == "recipes/mine.yaml:7"
    assert config.origins["model.width"].where.startswith("conf/model/resnet.yaml:")
    assert config.origins["data.extra"].kind == "word"
    assert config.origins["model.depth"].comment == "number of layers: 18, 34, 50, 101 or 152"


def test_composing_is_quick_and_needs_no_torch() -> None:
    """At most half the time of importing torch, by a wide margin."""
    program = (
        "import sys, time; start = time.monotonic()\n"
        "from nncli.config.compose import compose, freeze\n"
        "config = compose(['recipe=cifar10_resnet']); freeze(config)\n"
        "took = time.monotonic() - start\n"
        "assert not config.problems and not {'torch', 'lightning', 'numpy'} & sys.modules.keys()\n"
        "start = time.monotonic(); import torch\n"
        "assert took < 0.5 * (time.monotonic() - start), took\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_problems_are_plain_facts() -> None:
    assert all(isinstance(problem, Problem) for problem in compose(["x=1"]).problems)
