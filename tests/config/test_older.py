"""Frozen configs of older versions open as they are now."""

from pathlib import Path

import pytest
import yaml

from nncli.config.older import MOVED, identity, moved
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
