"""All problems of a config at once: names, types, ranges, slots, the monitored metric, knobs that nothing reads."""

from pathlib import Path

import pytest

from nncli.config.check import check
from nncli.config.compose import compose, freeze
from nncli.config.search_path import recipes
from nncli.config.used_keys import unread
from tests.config.sections import SECTIONS


def told(*words: str) -> dict[str, str]:
    return {problem.key: problem.text for problem in check(compose(words), SECTIONS)}


@pytest.mark.parametrize("name", sorted(recipes()))
def test_every_shipped_recipe_has_no_problem(name: str) -> None:
    word = f"recipe={name}"
    begins = "_target_" not in compose([word]).tree.model  # with the net of a run, which only the run itself can tell
    assert told(word, *(["model=resnet", "model.init_from=null"] if begins else [])) == {}


def test_four_problems_are_one_report() -> None:
    words = ["recipe=digits_mlp", "model.widht=3", "optimiser=sgd", "data.batch_size=lots", "trainer.precision=fp99"]
    width, optimizer, batch, precision = check(compose(words), SECTIONS)
    assert (width.key, width.value, width.where) == ("model.widht", "3", "you typed it")
    assert "Did you mean model.width? model takes:" in width.text
    assert "conf/model/mlp.yaml:" in width.text
    assert optimizer.text == "no such choice. Did you mean optimizer=sgd?"
    assert batch.text.startswith("must be a whole number, 1 or more. ")
    assert batch.text.endswith("says 32")
    assert precision.text == "must be one of auto, 32, bf16, 16"


WRONG = {
    "model.width=0": ("model.width", "a whole number, 1 or more"),
    "model.width=2.5": ("model.width", "a whole number"),
    "model.width=true": ("model.width", "a whole number"),
    "model.width=null": ("model.width", "a whole number"),
    "model.width='12'": ("model.width", "a whole number"),
    "model.activation=rleu": ("model.activation", "one of relu, tanh"),
    "model.input_shape=[1,x]": ("model.input_shape", "a list, each item a whole number"),
    "model.input_shape=8": ("model.input_shape", "a list"),
    "trainer.ema=1.5": ("trainer.ema", "a number, above 0, below 1 or null"),
    "regularization.dropout=lots": ("regularization.dropout", "a number, 0 or more, below 1"),
    "regularization.ema=2": ("regularization.ema", "above 0, below 1"),
    "optimizer.lr=fast": ("optimizer.lr", "a number"),
    "optimizer.lr=-1": ("optimizer", "Invalid learning rate"),
    "optimizer.betas=[0.9]": ("optimizer.betas", "a list of 2"),
    "+optimizer.params=[1]": ("optimizer.params", "handed in by the program"),
    "+scheduler.total_steps=5": ("scheduler.total_steps", "handed in by the program"),
    "optimizer._partial_=false": ("optimizer._partial_", "must be true"),
    "+model.widht=3": ("model.widht", "Did you mean model.width?"),
    "~model.width": ("model.width", "is missing; model needs it: a whole number, 1 or more"),
    "~data": ("data", "is missing"),
    "~model._target_": ("model", "a part that builds a Module"),
    "+model._args_=[1]": ("model._args_", "by name, not by position"),
    "+model._recursive_=false": ("model._recursive_", "is not read"),
    "+model._convert_=none": ("model._convert_", "is not read"),
    "model._target_=torch.optim.SGD": ("model._target_", "derives from torch.nn"),
    "loss._target_=torch.nn.Parameter": ("loss._target_", "derives from torch.nn"),
    "model._target_=nncli.models.mlp.MPL": ("model._target_", "there is no MPL"),
    "model._target_=nncli.models.mlp.Tensor": ("model._target_", "is not defined in nncli.models.mlp"),
    "model._target_=nncli.models.nowhere.MLP": ("model._target_", "cannot be imported"),
    "task.net=5": ("task.net", "a part that builds a Module"),
    "task.monitor=val/acuracy": ("task.monitor", "Did you mean val/accuracy?"),
    "+second.x=1": ("second", "no such key"),
    "data.num_classes=null": ("data.num_classes", "say task=regression loss=mse model.num_outputs=1"),
    "+sede=1": ("sede", "Did you mean seed?"),
    "seed=-1": ("seed", "a whole number, 0 or more"),
    "test=maybe": ("test", "true or false"),
    "+regularization.dropuot=0.5": ("regularization.dropuot", "nothing in this config reads it"),
    "+loss.weight=heavy": ("loss.weight", "builds a Tensor"),
}


@pytest.mark.parametrize("word", WRONG)
def test_a_wrong_value_is_told_with_what_is_allowed(word: str) -> None:
    key, text = WRONG[word]
    found = told(word)
    assert text in found[key]
    assert len(found) == 1 or word in ("~data", "optimizer._partial_=false")  # others refer to these


RIGHT = [
    "trainer.precision=32",
    "trainer.precision=16",
    "trainer.devices=auto",
    "trainer.grad_clip=1",
    "optimizer=sgd",
    "model=linear",
    "trainer=cpu",
    "run_dir=here",
    "checkpoint.minutes=1",
    "logger=tensorboard",
    "regularization=standard",
]


@pytest.mark.parametrize("word", RIGHT)
def test_a_right_word_is_accepted(word: str) -> None:
    assert told(word) == {}


def test_a_value_from_a_reference_is_told_where_it_is_set(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("defaults:\n  - /train\n  - _self_\nregularization:\n  dropout: 7\n")
    (problem,) = check(compose(["recipe=./r.yaml"]), SECTIONS)
    assert (problem.key, problem.where) == ("regularization.dropout", "r.yaml:5")


def test_nested_parts_are_checked_in_lists_and_deep(tmp_path: Path) -> None:
    word = "transform.augment=[{_target_: nncli.transforms.crop_flip.CropFlip, padding: x, flip: true}]"
    assert "transform.augment.0.padding" in told(word)
    assert "transform.augment.0._target_" in told("transform.augment=[{_target_: torch.optim.SGD}]")


def test_a_second_net_must_be_a_module() -> None:
    assert told("+model@discriminator=mlp", "+task.critic=${discriminator}").keys() == {"task.critic"}
    found = told("+optimizer@second=sgd", "+task.critic=${second}")
    assert "derives from torch.nn" in found["second._target_"]


def test_a_net_that_takes_an_argument_named_as_the_first_weights_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\nclass Net(nn.Linear):\n"
        "    def __init__(self, width: int, init_from: str | None) -> None:\n        super().__init__(width, 2)\n"
    )
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/mine.yaml").write_text("_target_: mine.Net\nwidth: 4\n")
    found = {p.key: p.text for p in check(compose(["model=mine"], trust=["mine"]), SECTIONS)}
    assert "takes an argument init_from" in found["model._target_"]


def test_a_missing_extra_prints_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.config.try_out.find_spec", lambda name: None)
    assert "pip install 'nncli[wandb]'" in told("logger=wandb")["logger._target_"]


def test_problems_of_words_and_of_values_come_together() -> None:
    keys = list(told("nonsense", "seed=x", "model=mpl", "trainer.max_epochs=0"))
    assert keys == ["nonsense", "model", "seed", "trainer.max_epochs"]


def test_a_choice_that_nothing_reads_is_noted(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("defaults:\n  - /train\n  - _self_\nregularization:\n  mixup: 0.2\n")
    (note,) = unread(compose(["recipe=./r.yaml"]))
    assert "regularization.mixup = 0.2 (r.yaml:5) has no effect" in note
    assert unread(compose([])) == []


def test_a_frozen_config_makes_no_notes(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(freeze(compose(["regularization=standard"])))
    config = compose([f"recipe={path}"])
    assert check(config, SECTIONS) == []
    assert unread(config) == []


def test_a_frozen_knob_that_is_typed_has_no_effect_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(freeze(compose([])))
    assert (
        "nothing in this config reads it"
        in told(f"recipe={path}", "regularization.dropout=0.5")["regularization.dropout"]
    )
