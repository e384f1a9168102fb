"""Frozen configs of older versions open as they are now."""

from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from nncli.config.check import check
from nncli.config.compose import compose, load_frozen
from nncli.config.older import MOVED, RENAMED, identity, moved
from nncli.config.reference import leaves
from nncli.config.slots import target_class
from nncli.run.eval import judged
from nncli.run.fit import fit_words
from nncli.run.folder import RunFolder

OLD = {
    "arrays": "Arrays",
    "books": "Book",
    "cifar10": "Cifar10",
    "cifar100": "Cifar100",
    "ett": "ETT",
    "folder": "Folder",
    "huggingface": "HuggingFace",
    "idx": "Idx",
    "points": "Points",
    "scikit": "Scikit",
    "sequences": "Counting",
    "series": "Series",
    "shapes": "Shapes",
    "synthetic": "Sine",
    "table": "Table",
    "text": "Text",
}


@pytest.mark.parametrize(("module", "name"), OLD.items())
def test_every_class_of_data_that_had_another_name_is_found(module: str, name: str) -> None:
    found = target_class(moved(f"nncli.data.{module}.{name}"), frozenset())
    assert isinstance(found, type)
    assert found.__name__ == name


def test_no_module_that_moved_is_forgotten() -> None:
    assert {f"nncli.data.{module}" for module in OLD} == MOVED.keys()


def test_a_name_that_did_not_change_stays() -> None:
    for target in ("torch.nn.Linear", "nncli.models.mlp.MLP", "mine.data.text.Text", "", "Text"):
        assert moved(target) == target


def test_a_run_is_the_same_one_by_either_name() -> None:
    assert identity({"data._target_": "nncli.data.text.Text"}) == identity(
        {"data._target_": "nncli.data.text.text.Text"}
    )


@pytest.mark.parametrize(
    "key", ["task.model", "task.optimizer_critic", "task.groups_x", "scheduler.mode_x", "updates_x.y"]
)
def test_the_keys_of_ones_own_class_are_part_of_what_a_run_is(key: str) -> None:
    assert identity({key: "1"}) != identity({key: "2"})
    assert identity({"task.mode": "min", "task.groups": "1", "updates.groups": "1"}) == {}


def test_a_run_whose_config_has_the_old_path_is_evaluated(tmp_path: Path) -> None:
    words = ["trainer.max_epochs=1", "trainer.limit_batches=2", "model.width=8", f"run_dir={tmp_path / 'r'}"]
    fit_words(words, show="quiet")
    run = RunFolder(tmp_path / "r")
    now = yaml.safe_load(run.config.read_text())
    before = judged([run])
    assert now["data"]["_target_"] == "nncli.data.sources.scikit.Scikit"
    now["data"]["_target_"] = "nncli.data.scikit.Scikit"
    run.config.write_text(yaml.safe_dump(now, sort_keys=False))
    assert judged([run]) == before


SPLIT = {"val_fraction": 0.2, "test_fraction": 0.1, "split_seed": 3}
TOKENS = {"tokens": "words", "vocab_size": 99, "min_count": 2, "lowercase": False, "max_length": 7}
OWN = {**SPLIT, "split": "random", "fold": [0, 5]}
FLAT: dict[str, dict[str, object]] = {
    "digits": SPLIT,
    "mnist": {"val_size": 4000, "split_seed": 3},
    "etth1": {"split_seed": 3},
    "series": {**SPLIT, "fold": None},
    "sine": SPLIT,
    "pydoc": {**SPLIT, **TOKENS},
    "folder": OWN,
    "csv": {**OWN, "split": "grouped", "group": "who"},
    "text": {**OWN, **TOKENS, "split": "auto", "group": None},
}


def frozen(name: str, path: Path) -> Path:
    """A config as it was, where everything stood in the data section itself."""
    tree = OmegaConf.to_container(compose([f"data={name}"]).tree, resolve=True)
    assert isinstance(tree, dict)
    data = {key: value for key, value in tree["data"].items() if key not in ("split", "tokenizer", "seed")}
    path.write_text(yaml.safe_dump({"name": "old", **tree, "data": data | FLAT[name]}, sort_keys=False))
    return path


@pytest.mark.parametrize("name", FLAT)
def test_the_keys_of_splits_and_tokens_are_found_where_they_are_now(name: str, tmp_path: Path) -> None:
    before = frozen(name, tmp_path / "config.yaml")
    config = load_frozen(before)
    data = config.tree.data
    assert data.keys() == compose([f"data={name}"]).tree.data.keys()
    assert not [problem for problem in check(config, {}) if problem.key.startswith("data")]
    for key, value in FLAT[name].items():
        now = "data.seed" if (name, key) == ("sine", "split_seed") else RENAMED[f"data.{key}"]
        if key == "split_seed" and name in ("etth1", "series", "pydoc"):
            assert OmegaConf.select(config.tree, now) is None  # nothing read it
        else:
            assert OmegaConf.select(config.tree, now) == value
    flat = [
        {key: str(value) for key, value in leaves(tree)}
        for tree in (
            yaml.safe_load(before.read_text()),
            OmegaConf.to_container(config.tree),
        )
    ]
    old, new = ({k: v for k, v in identity(one).items() if k != "name" and v != "None"} for one in flat)
    assert old == new, "a checkpoint of before is one of this run"


def test_a_run_of_before_is_evaluated_on_the_samples_it_held_out(tmp_path: Path) -> None:
    words = ["trainer.max_epochs=1", "trainer.limit_batches=2", "model.width=8", f"run_dir={tmp_path / 'r'}"]
    fit_words([*words, "data.split.test=0.3", "data.split.seed=5"], show="quiet")
    run = RunFolder(tmp_path / "r")
    now = yaml.safe_load(run.config.read_text())
    before = judged([run])
    split = now["data"].pop("split")
    now["data"] |= {"val_fraction": split["val"], "test_fraction": split["test"], "split_seed": split["seed"]}
    run.config.write_text(yaml.safe_dump(now, sort_keys=False))
    assert judged([run]) == before


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["data.val_fraction=0.2"], "data.split.val"),
        (["data=mnist", "data.val_size=9"], "data.split.val"),
        (["data=csv", "data.group=who"], "data.split.group"),
        (["data=csv", "data.split=grouped"], "data.split.method"),
        (["data=text", "data.tokens=bpe"], "data.tokenizer.tokens"),
    ],
)
def test_who_types_an_earlier_key_is_told_the_present_one(words: list[str], key: str) -> None:
    (problem,) = compose(words).problems
    assert key in problem.text


def test_an_earlier_key_in_a_recipe_is_told_with_the_present_one() -> None:
    Path("r.yaml").write_text(
        "defaults:\n  - /train\n  - override /data: csv\n  - _self_\ndata: {fold: [0, 5], split: random}\n"
    )
    found = {problem.key: problem.text for problem in check(compose(["recipe=./r.yaml"]), {})}
    assert "Did you mean data.split.fold?" in found["data.fold"]
    assert "did you mean data.split.method?" in found["data.split"]


def test_who_gives_the_direction_of_a_metric_is_told_that_the_task_declares_it() -> None:
    Path("r.yaml").write_text("defaults:\n  - /train\n  - _self_\ntask: {mode: max}\n")
    (of_recipe,) = (one for one in check(compose(["recipe=./r.yaml"]), {}) if one.key == "task.mode")
    for problem in (of_recipe, *compose(["task.mode=max"]).problems, *compose(["scheduler.mode=min"]).problems):
        assert "no such key. Leave it out: whether lower or higher is better" in problem.text
