"""All problems of a config at once: names, types, ranges, slots, the monitored metric, knobs that nothing reads."""

from pathlib import Path

import pytest

from nncli.config.check import check
from nncli.config.compose import compose, freeze
from nncli.config.search_path import recipes
from nncli.config.used_keys import unread
from nncli.errors import Code, Problem
from tests.config.sections import SECTIONS


def reported(*words: str) -> dict[str, Problem]:
    return {problem.key: problem for problem in check(compose(words), SECTIONS)}


@pytest.mark.parametrize("name", sorted(recipes()))
def test_every_shipped_recipe_has_no_problem(name: str) -> None:
    word = f"recipe={name}"
    begins = "_target_" not in compose([word]).tree.model  # with the net of a run, which only the run itself can tell
    assert reported(word, *(["model=resnet", "model.init_from=null"] if begins else [])) == {}


def test_four_problems_are_one_report() -> None:
    words = ["recipe=digits_mlp", "model.widht=3", "optimiser=sgd", "data.batch_size=lots", "trainer.precision=fp99"]
    width, optimizer, batch, precision = check(compose(words), SECTIONS)
    assert (width.key, width.value, width.where, width.code) == ("model.widht", "3", "you typed it", "unknown-key")
    assert "Did you mean model.width?" in width.text
    assert "conf/model/mlp.yaml:" in width.text
    assert (optimizer.code, "Did you mean optimizer=sgd?" in optimizer.text) == ("unknown-key", True)
    assert (batch.code, "a whole number, 1 or more" in batch.text) == ("wrong-value", True)
    assert batch.text.endswith("says 32")
    assert (precision.code, "auto, 32, bf16, 16" in precision.text) == ("wrong-value", True)


# word: (key, code, what the message names)
WRONG: dict[str, tuple[str, Code, str]] = {
    "model.width=0": ("model.width", "wrong-value", "a whole number, 1 or more"),
    "model.width=2.5": ("model.width", "wrong-value", "a whole number"),
    "model.width=true": ("model.width", "wrong-value", "a whole number"),
    "model.width=null": ("model.width", "wrong-value", "a whole number"),
    "model.width='12'": ("model.width", "wrong-value", "a whole number"),
    "model.activation=rleu": ("model.activation", "wrong-value", "relu, tanh"),
    "model.input_shape=[1,x]": ("model.input_shape", "wrong-value", "a whole number"),
    "model.input_shape=8": ("model.input_shape", "wrong-value", "a list"),
    "trainer.ema=1.5": ("trainer.ema", "wrong-value", "above 0, below 1"),
    "regularization.dropout=lots": ("regularization.dropout", "wrong-value", "a number, 0 or more, below 1"),
    "regularization.ema=2": ("regularization.ema", "wrong-value", "above 0, below 1"),
    "optimizer.lr=fast": ("optimizer.lr", "wrong-value", "a number"),
    "optimizer.lr=-1": ("optimizer", "cannot-build", "learning rate"),
    "optimizer.betas=[0.9]": ("optimizer.betas", "wrong-value", "a list of 2"),
    "+optimizer.params=[1]": ("optimizer.params", "reserved-key", ""),
    "+scheduler.total_steps=5": ("scheduler.total_steps", "reserved-key", ""),
    "optimizer._partial_=false": ("optimizer._partial_", "wrong-value", "true"),
    "+model.widht=3": ("model.widht", "unknown-key", "model.width?"),
    "~model.width": ("model.width", "missing-key", "a whole number, 1 or more"),
    "~data": ("data", "missing-key", "/train"),
    "~model._target_": ("model", "wrong-value", "Module"),
    "+model._args_=[1]": ("model._args_", "reserved-key", "by name"),
    "+model._recursive_=false": ("model._recursive_", "reserved-key", "_partial_"),
    "+model._convert_=none": ("model._convert_", "reserved-key", "_partial_"),
    "+model._partial_=5": ("model._partial_", "wrong-value", "true or false"),
    "model._target_=torch.optim.SGD": ("model._target_", "wrong-class", "torch.nn"),
    "loss._target_=torch.nn.Parameter": ("loss._target_", "wrong-class", "torch.nn"),
    "model._target_=nncli.models.mlp.MPL": ("model._target_", "unknown-class", "MPL"),
    "model._target_=nncli.models.mlp.Tensor": ("model._target_", "unknown-class", "nncli.models.mlp"),
    "model._target_=nncli.models.nowhere.MLP": ("model._target_", "unknown-class", "nncli.models.nowhere"),
    "model._target_=my_nets.Net": ("model._target_", "untrusted-class", "--trust my_nets"),
    "model._target_=os.system": ("model._target_", "untrusted-class", "torch.nn"),
    "task.net=5": ("task.net", "wrong-value", "Module"),
    "task.monitor=val/acuracy": ("task.monitor", "unknown-metric", "val/accuracy?"),
    "+second.x=1": ("second", "unknown-key", "model"),
    "data.num_classes=null": ("data.num_classes", "wrong-value", "task=regression loss=mse model.num_outputs=1"),
    "+sede=1": ("sede", "unknown-key", "seed?"),
    "seed=-1": ("seed", "wrong-value", "a whole number, 0 or more"),
    "test=maybe": ("test", "wrong-value", "true or false"),
    "name=../../x": ("name", "wrong-value", "letters"),
    "+regularization.dropuot=0.5": ("regularization.dropuot", "no-effect", ""),
    "+loss.weight=heavy": ("loss.weight", "wrong-value", "Tensor"),
}


@pytest.mark.parametrize("word", WRONG)
def test_a_wrong_value_is_reported_with_what_is_allowed(word: str) -> None:
    key, code, text = WRONG[word]
    found = reported(word)
    assert (found[key].code, text in found[key].text) == (code, True), found[key]
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
    assert reported(word) == {}


def test_a_value_from_a_reference_is_reported_where_it_is_set(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("defaults:\n  - /train\n  - _self_\nregularization:\n  dropout: 7\n")
    (problem,) = check(compose(["recipe=./r.yaml"]), SECTIONS)
    assert (problem.key, problem.where) == ("regularization.dropout", "r.yaml:5")


def test_nested_parts_are_checked_in_lists_and_deep(tmp_path: Path) -> None:
    word = "transform.augment=[{_target_: nncli.transforms.crop_flip.CropFlip, padding: x, flip: true}]"
    assert "transform.augment.0.padding" in reported(word)
    assert "transform.augment.0._target_" in reported("transform.augment=[{_target_: torch.optim.SGD}]")


def test_a_second_net_must_be_a_module() -> None:
    assert reported("+model@discriminator=mlp", "+task.critic=${discriminator}").keys() == {"task.critic"}
    found = reported("+optimizer@second=sgd", "+task.critic=${second}")
    assert found["second._target_"].code == "wrong-class"


def test_a_net_that_takes_an_argument_named_as_the_initial_weights_is_reported(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\nclass Net(nn.Linear):\n"
        "    def __init__(self, width: int, init_from: str | None) -> None:\n        super().__init__(width, 2)\n"
    )
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/mine.yaml").write_text("_target_: mine.Net\nwidth: 4\n")
    found = {p.key: p for p in check(compose(["model=mine"], trust=["mine"]), SECTIONS)}
    assert found["model._target_"].code == "reserved-key"
    assert "init_from" in found["model._target_"].text


def test_a_missing_extra_prints_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.config.try_out.find_spec", lambda name: None)
    problem = reported("logger=wandb")["logger._target_"]
    assert (problem.code, "pip install 'nncli[wandb]'" in problem.text) == ("missing-extra", True)


def test_problems_of_words_and_of_values_come_together() -> None:
    keys = list(reported("nonsense", "seed=x", "model=mpl", "trainer.max_epochs=0"))
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
    assert reported(f"recipe={path}", "regularization.dropout=0.5")["regularization.dropout"].code == "no-effect"
