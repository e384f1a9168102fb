"""First weights from an earlier run or a file; the rest frozen, thawed, or made anew."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn as layers

from nncli.config.compose import compose
from nncli.errors import CheckpointError, ConfigError, NnError
from nncli.models.mlp import MLP
from nncli.run.checkpoint import load, weights
from nncli.run.eval import judged
from nncli.run.fit import fit, resume
from nncli.run.folder import RunFolder, find, make
from nncli.run.initial_weights import fill, first_weights
from nncli.run.screen import Screen
from tests.conftest import Nn

# Lightning 2.6 asks torch for tree leaves in the way that torch 2.13 advises against.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")

CPU = ("trainer.precision=32", "trainer.accelerator=cpu")
STILL = ("optimizer.lr=1e-12", "trainer.max_steps=1", "test=false")


def trained(*words: str) -> RunFolder:
    run = fit(compose([*words, *CPU]), Screen("quiet"))
    assert run is not None
    return run


def net_of(run: RunFolder, which: str = "best") -> dict[str, torch.Tensor]:
    return {n: t for n, t in weights(load(run.checkpoints / f"{which}.ckpt")).items() if n.startswith("net.")}


def accuracy(run: RunFolder) -> float:
    return json.loads(run.summary.read_text())["metrics"]["val/accuracy"]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A net that knows its digits."""
    folder = tmp_path_factory.mktemp("first") / "run"
    return trained("model.width=32", "trainer.max_epochs=4", f"run_dir={folder}", "test=false")


def test_a_run_begins_with_the_weights_of_another(first: RunFolder) -> None:
    again = trained("model.width=32", f"model.init_from={first.path}", *STILL)
    assert accuracy(again) == pytest.approx(judged([first], part="val")["metrics"]["val/accuracy"])
    assert accuracy(again) > 0.9
    assert accuracy(trained("model.width=32", *STILL)) < 0.4


def test_the_net_of_a_run_need_not_be_named_and_takes_its_sizes_from_the_new_data(first: RunFolder) -> None:
    shutil.copytree(first.path, "runs/digits_mlp/one")
    words = ["model=earlier", "model.init_from=last", "data=wine", "trainer.max_epochs=2", *CPU]
    said: list[str] = []
    run = fit(compose(words), Told(said))
    assert run is not None
    (note,) = (line for line in said if "model starts from" in line)
    assert (
        "best weights of digits_mlp/one: 3 of 6 tensors; newly initialized: layers.1.weight 32×13 (there 32×64)" in note
    )
    assert "layers.7.weight 3×32 (there 10×32)" in note
    frozen = compose([f"recipe={run.config}"]).tree.model
    assert frozen.init_from == str(Path("runs/digits_mlp/one").absolute())
    assert (frozen.width, frozen.num_outputs) == (32, 3)


class Told(Screen):
    """Keeps what a person would read."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("quiet")
        self.lines = lines

    def line(self, text: str, **facts: Any) -> None:
        self.lines.append(text)


def test_a_run_lives_on_when_the_one_it_came_from_is_gone() -> None:
    source = trained("model.width=16", "trainer.max_epochs=1", "test=false")
    words = ("task=distillation", f"model_teacher.init_from={source.name}")
    run = trained(*words, "model.width=16", "trainer.max_epochs=1")
    shutil.rmtree(source.path)
    assert judged([run])["metrics"]["test/accuracy"] > 0.3
    resume(run, ["trainer.max_epochs=2"], Screen("quiet"))
    with pytest.raises(ConfigError, match=r"model_teacher.init_from = .*\[unusable-weights\]"):
        trained(f"recipe={run.config}")


def test_a_teacher_is_the_net_of_its_run_and_lies_in_the_checkpoint(first: RunFolder) -> None:
    run = trained("task=distillation", f"model_teacher.init_from={first.path}", "model.width=16", *STILL)
    held = load(run.checkpoints / "last.ckpt")["state_dict"]
    assert all(torch.equal(held[f"teacher.{n.removeprefix('net.')}"], t) for n, t in net_of(first).items())


@pytest.mark.parametrize("structured", [True, False])
def test_a_pruned_run_can_be_resumed_evaluated_continued_and_pruned_again(first: RunFolder, structured: bool) -> None:
    said: list[str] = []
    words = ["model=pruned", "model.share=0.4", f"model.structured={structured}", "trainer.max_epochs=2", *CPU]
    run = fit(compose([*words, f"model.init_from={first.path}"]), Told(said))
    assert run is not None
    assert any("6 of 6 tensors; pruned from 3,466 to " in line for line in said), said
    assert accuracy(run) > 0.85
    resume(run, ["trainer.max_epochs=3"], Screen("quiet"))
    assert judged([run], part="val")["metrics"]["val/accuracy"] == pytest.approx(accuracy(run))
    again = trained("model=earlier", f"model.init_from={run.path}", *STILL)
    assert accuracy(again) == pytest.approx(accuracy(run))
    twice = fit(compose([*words, *STILL, "model.share=0.7", f"model.init_from={again.path}"]), Told(said))
    assert twice is not None
    counts = [re.findall(r"pruned from ([\d,]+) to ([\d,]+)", line) for line in said]
    (before, between), (same, after) = [[int(n.replace(",", "")) for n in pair] for (pair,) in filter(None, counts)]
    assert between == same
    assert after < 0.7 * between < 0.49 * before


def test_what_a_recipe_says_of_its_net_is_for_the_net_that_is_pruned(first: RunFolder) -> None:
    Path("recipes").mkdir()
    Path("recipes/mine.yaml").write_text("defaults: [/train, _self_]\nmodel: {width: 32, dropout: 0.25}\n")
    run = trained("recipe=mine", "model=pruned", f"model.init_from={first.path}", *STILL)
    assert compose([f"recipe={run.config}"]).tree.model.net.dropout == 0.25


def test_a_file_of_tensors_with_other_prefixes(first: RunFolder, tmp_path: Path) -> None:
    tensors = {f"module.{n.removeprefix('net.')}": t.clone() for n, t in net_of(first).items()}
    save_file(tensors, tmp_path / "net.safetensors")
    run = trained("model.width=32", "model.init_from=net.safetensors", *STILL)
    assert accuracy(run) > 0.9


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (["model.init_from=nobody"], "unusable-weights", "nobody"),
        (["model.init_from=gone.safetensors"], "unusable-weights", "gone.safetensors"),
        (["model.init_from=3"], "wrong-value", ".safetensors file or null"),
        (["model=earlier"], "unusable-weights", "model.init_from=RUN"),
        (["model=pruned", "model.init_from=nobody"], "unusable-weights", "nobody"),
        (["model=pruned"], "unusable-weights", "model.init_from=RUN"),
        (["model=earlier", "model.init_from=x.safetensors"], "unusable-weights", "such as model=resnet"),
        (["task=distillation"], "missing-key", "model_teacher.init_from="),
        (["groups.train=0"], "wrong-value", "all, head or a whole number, 1 or more"),
    ],
)
def test_what_cannot_be_is_reported_once(words: list[str], code: str, named: str) -> None:
    Path("x.safetensors").touch()
    with pytest.raises(ConfigError) as caught:
        fit(compose([*words, *CPU]), Screen("quiet"))
    (problem,) = caught.value.problems
    assert (problem.code, named in problem.text) == (code, True), problem
    assert not Path("runs").exists()


def test_thawing_what_is_not_frozen_is_told() -> None:
    with pytest.raises(NnError, match=r"groups.thaw=2 .*set groups.train=head"):
        trained("groups.thaw=2")


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match=r"x.safetensors cannot be read"):
        trained("model.init_from=x.safetensors")


@pytest.mark.parametrize("model", ["hello", [1], None, {"width": 8}])
def test_a_run_whose_config_has_no_net_is_reported(model: Any) -> None:
    make("odd", "odd").config.write_text(json.dumps({"model": model}))
    for words in (["model=earlier", "model.init_from=odd"], ["task=distillation", "model_teacher.init_from=odd"]):
        with pytest.raises(ConfigError, match=r"odd .*such as model=resnet \[unusable-weights\]"):
            fit(compose([*words, *CPU]), Screen("quiet"))


def test_a_net_inside_of_another_is_not_passed_over_in_silence() -> None:
    config = compose(["model.init_from=x"])
    config.tree.task.net = {"_target_": "mine.Outer", "body": "${model}"}
    with pytest.raises(NnError, match=r"model.init_from needs an argument of the task"):
        first_weights(config, layers.Module())


def test_what_else_a_net_keeps_in_its_state_is_left_as_it_is() -> None:
    class Keeps(layers.Linear):
        def get_extra_state(self) -> dict[str, int]:
            return {"seen": 3}

    net = Keeps(2, 2)
    assert fill(net, {"weight": torch.ones(2, 2), "bias": torch.ones(2)}, "") == "2 of 2 tensors"
    assert net.weight.sum() == 4


def test_a_net_that_numbers_otherwise_is_told_and_no_teacher(tmp_path: Path) -> None:
    for folder, words in (("one", ("good", "bad")), ("two", ("fine", "dull"))):
        for name, word in zip(("no", "yes"), words, strict=True):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{name}.txt").write_text(f"a {word} film\n" * 20)
    words = ["data=text", "model=bag", "data.tokenizer.tokens=words", "data.batch_size=16", *STILL]
    source = trained(*words, "data.path=one", "run_dir=first")
    said: list[str] = []
    fit(compose([*words, *CPU, "data.path=two", f"model.init_from={source.path}"]), Told(said))
    assert any("model starts from" in line and line.endswith("; it was trained with other tokens") for line in said)
    with pytest.raises(NnError, match=r"model_teacher.init_from = .* trained with other tokens than this data's"):
        trained(*words, "data.path=two", "task=distillation", f"model_teacher.init_from={source.path}")


def test_another_net_is_told_with_what_there_is(first: RunFolder) -> None:
    with pytest.raises(NnError, match=r"none of its weights fits this net \(CNN\).*model=earlier"):
        trained("model=cnn", f"model.init_from={first.path}")


def test_what_is_unused_is_said() -> None:
    net = MLP([4], 2, 8, 1, "relu", 0.0)
    more = {**net.state_dict(), "extra.weight": torch.ones(1)}
    assert fill(net, more, "") == "4 of 4 tensors; unused: extra.weight"


# layers, in their order: two hidden ones of 16 units, and the head
LAYERS = ("net.layers.1.", "net.layers.4.", "net.layers.7.")
DEEP: tuple[str, ...] = ("model.width=16", "model.depth=2", "test=false", "data.batch_size=256")


def moved(before: dict[str, Any], after: dict[str, Any]) -> list[bool]:
    """Whether each layer is another than before."""
    return [any(not torch.equal(before[n], after[n]) for n in after if n.startswith(layer)) for layer in LAYERS]


@pytest.mark.parametrize(
    ("train", "learns"), [("head", [0, 0, 1]), ("2", [0, 1, 1]), ("all", [1, 1, 1]), ("9", [1, 1, 1])]
)
def test_only_the_last_layers_learn(train: str, learns: list[bool]) -> None:
    first = trained(*DEEP, "trainer.max_epochs=1")
    start = f"model.init_from={first.path}"
    run = trained(*DEEP, start, f"groups.train={train}", "trainer.max_epochs=1", "optimizer.lr=0.01")
    assert moved(net_of(first), net_of(run, "last")) == learns


@pytest.mark.parametrize("optimizer", ["adamw", "nesterov", "muon"])
def test_the_others_learn_after_the_thaw_also_when_resumed_inside_an_epoch(optimizer: str) -> None:
    first = trained(*DEEP, "trainer.max_epochs=1")
    words = (
        *DEEP,
        f"optimizer={optimizer}",
        f"model.init_from={first.path}",
        "groups.train=head",
        "groups.thaw=1",
        "scheduler=constant",
    )
    before = trained(*words, "trainer.max_epochs=1")
    assert moved(net_of(first), net_of(before, "last")) == [False, False, True]
    whole = trained(*words, "trainer.max_epochs=3")
    assert moved(net_of(before, "last"), net_of(whole, "last")) == [True, True, True]
    part = trained(*words, "trainer.max_epochs=3", "trainer.max_steps=6")  # 4 steps an epoch
    resume(part, ["trainer.max_steps=12"], Screen("quiet"))
    assert all(torch.equal(t, net_of(whole, "last")[n]) for n, t in net_of(part, "last").items())


def test_frozen_norms_keep_their_statistics() -> None:
    words = ("model=cnn", "model.channels=[4,8]", "model.hidden=8", *DEEP[2:], "trainer.max_epochs=1")
    first = trained(*words)
    run = trained(*words, f"model.init_from={first.path}", "groups.train=head")
    pairs = [(t, net_of(run, "last")[n]) for n, t in net_of(first).items() if "running" in n]
    assert pairs
    assert all(torch.equal(one, other) for one, other in pairs)


def test_several_devices_throw_away_the_gradients_of_what_will_thaw() -> None:
    from nncli.optim.groups import Groups

    net = layers.Sequential(layers.Linear(2, 2), layers.Linear(2, 2))
    groups = Groups(False, 1.0, 0.0, train="head", thaw=1)
    for epoch, kept in ((0, [False, True]), (1, [True, True])):
        groups.freeze(net, epoch, shared=True)
        net(torch.ones(1, 2)).sum().backward()
        groups.drop(epoch)
        assert [layer.weight.grad is not None for layer in net if isinstance(layer, layers.Linear)] == kept


def test_two_ranks_thaw_as_one_does(nn: Nn, tmp_path: Path) -> None:
    words = [*DEEP[:3], "data.batch_size=64", "regularization=none", *CPU, "-q"]
    assert nn("train", *words, "trainer.max_epochs=1", "run_dir=first").returncode == 0
    words += ["model.init_from=first", "groups.train=head", "groups.thaw=1", "trainer.max_epochs=2"]
    for devices in (1, 2):
        done = nn("train", *words, f"trainer.devices={devices}", f"run_dir=on{devices}")
        assert done.returncode == 0, done.stderr
    one, two = (net_of(RunFolder(tmp_path / name), "last") for name in ("on1", "on2"))
    assert max(float((t - two[n]).abs().max()) for n, t in one.items()) < 1e-5


def test_last_is_the_newest_run_before_this_one(first: RunFolder) -> None:
    shutil.copytree(first.path, "runs/digits_mlp/one")
    run = trained("model=earlier", "model.init_from=last", *STILL)
    assert find("last").path == run.path
    assert compose([f"recipe={run.config}"]).tree.model.init_from.endswith("one")


def test_a_teacher_of_a_named_net_begins_from_a_file_and_never_by_chance(first: RunFolder) -> None:
    tensors = {name.removeprefix("net."): tensor.clone() for name, tensor in net_of(first).items()}
    save_file(tensors, "net.safetensors")
    words = ("task=distillation", "model@model_teacher=mlp", "model_teacher.width=32", *STILL)
    with pytest.raises(NnError, match=r"the net under model_teacher is not trained.*model_teacher.init_from=RUN"):
        trained(*words)
    run = trained(*words, "model_teacher.init_from=net.safetensors")
    held = load(run.checkpoints / "last.ckpt")["state_dict"]
    assert all(torch.equal(held[f"teacher.{name}"], tensor) for name, tensor in tensors.items())


def test_a_teacher_of_other_samples_is_told(first: RunFolder) -> None:
    with pytest.raises(NnError, match=r"the teacher does not accept samples of shape \[13\]"):
        trained("task=distillation", f"model_teacher.init_from={first.path}", "data=wine")


def test_an_optimizer_that_refuses_groups_is_told_before_there_is_a_folder() -> None:
    with pytest.raises(NnError, match="lbfgs treats all weights alike"):
        trained("optimizer=lbfgs", "scheduler=constant", "groups.train=head")
    assert not Path("runs").exists()


def test_a_problem_of_averages_names_the_key_that_was_typed() -> None:
    with pytest.raises(ConfigError, match=r"regularization.swa = 0.5.*you typed it.*\[incompatible-value\]"):
        trained("regularization.ema=0.9", "regularization.swa=0.5")


def test_a_run_that_max_steps_ended_keeps_its_judgement_when_it_is_only_tested() -> None:
    run = trained("trainer.max_steps=20", "test=false")
    before = json.loads(run.summary.read_text())
    with pytest.raises(NnError, match=r"ended at trainer.max_steps = 20; .*trainer.max_steps=40"):
        resume(run, ["trainer.max_epochs=4"], Screen("quiet"))
    resume(run, ["test=true"], Screen("quiet"))
    after = json.loads(run.summary.read_text())
    assert (after["best_step"], after["steps"]) == (20, 20)
    assert after["metrics"]["val/accuracy"] == before["metrics"]["val/accuracy"]
    assert "test/accuracy" in after["metrics"]
