"""What a person leaves open is found in the data, told, and written into the run's config."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from nncli.config.compose import compose, freeze
from nncli.data.sources.scikit import Scikit
from nncli.errors import DataError, NnError
from nncli.run.assemble import assemble
from nncli.run.fit import fit_words
from nncli.run.resolve import complete, infer, resolve
from nncli.run.screen import Screen

OPEN = ["data.input_shape=auto", "data.num_classes=auto"]


class Heard(Screen):
    """A screen that remembers."""

    def __init__(self) -> None:
        super().__init__("quiet")
        self.said: list[str] = []

    def line(self, text: str, **facts: Any) -> None:
        self.said.append(text)


def test_open_values_are_found_told_and_frozen() -> None:
    screen = Heard()
    config = compose(["data=digits", "model=cnn", "model.channels=[8]", *OPEN])
    complete(config)
    found, data = infer(config, screen)
    assert screen.said == ["  found  data.input_shape = [1, 8, 8]", "  found  data.num_classes = 10"]
    assert found.words == config.words
    frozen = yaml.safe_load(freeze(found))
    assert (frozen["data"]["input_shape"], frozen["data"]["num_classes"]) == ([1, 8, 8], 10)
    net = assemble(found, data=data).task.net
    assert net(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_nothing_is_found_or_said_where_nothing_is_open() -> None:
    screen = Heard()
    config = compose(["data=digits"])
    assert infer(config, screen)[0] is config
    assert screen.said == []


NUMBERS = {"samples": "numbers", "targets": "numbers", "width": 1}


def test_choices_that_suit_are_made_where_nobody_made_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scikit, "traits", lambda self: NUMBERS)
    found, _ = infer(compose(["data=diabetes", "model=linear", *OPEN]), Heard())
    assert found.tree.task._target_.endswith("Regression")
    assert found.tree.model._target_.endswith("Linear"), "a word of the person's was replaced"
    assert (found.tree.model.num_outputs, found.tree.data.num_classes) == (1, None)
    Path("conf").mkdir()
    Path("conf/suits.yaml").write_text("targets:\n  numbers: [task=regression, loss=mse, model.depth=7]\n")
    found, _ = infer(compose(["data=diabetes", "model=linear", "model.num_outputs=1", *OPEN]), Heard())
    assert "depth" not in found.tree.model, "the chosen net has no such argument"


@pytest.mark.parametrize(("word", "slot"), [("+model=linear", "model"), ("~loss", "loss")])
def test_a_choice_is_ones_own_in_every_form_it_can_be_typed(
    word: str, slot: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scikit, "traits", lambda self: NUMBERS)
    monkeypatch.setattr(
        "nncli.run.resolve.complete", lambda config: config
    )  # which refuses what is missing or twice there
    screen = Heard()
    config = compose(["data=diabetes", *OPEN, word])
    infer(config, screen)
    made = [said.split()[1] for said in screen.said]
    assert "task" in made
    assert slot not in made


def test_before_training_it_is_said_what_has_no_effect() -> None:
    Path("r.yaml").write_text("defaults:\n  - /train\n  - _self_\nregularization:\n  mixup: 0.2\n")
    screen = Heard()
    resolve(compose(["recipe=./r.yaml"]), screen)
    (note,) = (said for said in screen.said if "note:" in said)
    assert "regularization.mixup = 0.2 (r.yaml:5) has no effect" in note


def test_a_recipe_is_not_changed_but_for_what_it_leaves_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scikit, "traits", lambda self: NUMBERS)
    found, _ = infer(compose(["recipe=wine_mlp", *OPEN]), Heard())
    assert found.tree.task._target_.endswith("Classification")
    assert found.tree.data.num_classes == 3


def test_a_text_of_the_data_never_becomes_a_reference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Scikit, "inferred", lambda self: {"name": {"${oc.env:HOME}": "number"}})
    with pytest.raises(DataError, match="which a config cannot store"):
        infer(compose(["data=digits", *OPEN]), Heard())


def test_a_transform_that_does_not_fit_is_told_with_one_that_does() -> None:
    Path("x.csv").write_text("a,b,y\n" + "\n".join(f"{i},{'uvw'[i % 3]},{i % 2}" for i in range(60)))
    config = compose(["data=csv", "data.path=x.csv", "data.target=y", "transform=mixup"])
    found, data = infer(config, Heard())
    with pytest.raises(NnError, match=r"the transform does not fit the data, whose samples are \[2\](.|\n)*=table"):
        assemble(found, data=data)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.split.test=0"], r"no test part to evaluate; set test=false, or hold one out: data\.split\.test"),
        (["data.target=size", "loader.sampling=balanced"], r"loader\.sampling is balanced.*take natural"),
        (["data.target=size", "loss=cross_entropy"], r"loss=cross_entropy is for classes; set loss=mse"),
        (["data.target=size", "task=classification"], r"task=classification needs classes as targets"),
    ],
)
def test_choices_that_cannot_end_well_leave_no_run(tmp_path: Path, words: list[str], message: str) -> None:
    Path("x.csv").write_text("a,y,size\n" + "\n".join(f"{i},{i % 2},{i}.5" for i in range(60)))
    with pytest.raises(NnError, match=message):
        fit_words(["data=csv", "data.path=x.csv", "data.target=y", "data.batch_size=8", *words], show="quiet")
    assert not (tmp_path / "runs").exists()
