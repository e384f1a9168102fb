"""Runs judged, alone and together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nncli
from nncli.config.compose import compose
from nncli.errors import NnError
from nncli.run.eval import judged
from nncli.run.fit import fit
from nncli.run.folder import RunFolder
from nncli.run.restore import restore
from nncli.run.screen import Screen

# Lightning 2.6 asks torch for tree leaves in the way that torch 2.13 advises against.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")


def trained(*words: str) -> RunFolder:
    run = fit(compose([*words, "trainer.precision=32", "trainer.accelerator=cpu"]), Screen("quiet"))
    assert run is not None
    return run


def digits(*words: str) -> list[RunFolder]:
    """Three weak nets on the same split."""
    return [trained("model.width=16", "trainer.max_epochs=3", f"seed={seed}", *words) for seed in range(3)]


def answers(runs: Sequence[RunFolder]) -> tuple[torch.Tensor, torch.Tensor]:
    """What each run says of the test part (N, B, C), and the truth."""
    found, y = [], torch.zeros(0)
    for run in runs:
        _, parts = restore(run)
        parts.task.eval()
        x, y = parts.data.parts["test"].span(0, len(parts.data.parts["test"]))
        with torch.no_grad():
            found.append(parts.task.predict(x))
    return torch.stack(found), y


def metric(runs: list[RunFolder], name: str, combine: Any = "mean") -> float:
    return judged(runs, combine=combine)["metrics"][f"test/{name}"]


def test_a_run_in_bf16_is_tested_evaluated_and_predicted_in_float32() -> None:
    words = ["data=diabetes", "task=regression", "loss=mse", "model.num_outputs=1", "trainer.max_epochs=2"]
    run = fit(compose([*words, "trainer.precision=bf16", "trainer.accelerator=cpu"]), Screen("quiet"))
    assert run is not None
    tested, found = run.read(run.summary)["metrics"]["test/rmse"], metric([run], "rmse")
    _, parts = restore(run)
    x, y = parts.data.parts["test"].span(0, 10_000)
    predicted = nncli.load(run.path).predict(x.numpy())
    assert found == tested
    assert found == pytest.approx((predicted.flatten() - y.flatten()).square().mean().sqrt().item(), rel=1e-5)
    rough = judged([run], ["trainer.precision=bf16", "trainer.accelerator=cpu"])["metrics"]["test/rmse"]
    assert rough != found, "the precision can be chosen"


def test_several_runs_answer_by_the_mean_and_by_votes() -> None:
    runs = digits("regularization=none")
    p, y = answers(runs)
    alone = [metric([run], "accuracy") for run in runs]
    mean = metric(runs, "accuracy")
    assert mean == pytest.approx((p.mean(0).argmax(1) == y).double().mean().item())
    assert metric(runs, "loss") == pytest.approx(torch.nn.functional.nll_loss(p.mean(0).log(), y).item(), rel=1e-4)
    assert mean > np.mean(alone), (mean, alone)
    votes = torch.nn.functional.one_hot(p.argmax(2), 10).sum(0)
    agreed = votes.max(1).values > 1
    by_vote = judged(runs, combine="vote")
    right = (votes.argmax(1) == y)[agreed].sum().item()
    assert by_vote["metrics"]["test/accuracy"] * len(y) == pytest.approx(right, abs=(~agreed).sum().item() + 1e-6)
    assert len(by_vote["confusion"]) == 10


def test_the_mean_of_the_weights_of_one_run_is_that_run() -> None:
    run = trained("trainer.max_epochs=2", "model.width=16")
    assert judged([run, run], combine="weights")["metrics"] == pytest.approx(judged([run])["metrics"])


def test_what_cannot_be_joined_is_named() -> None:
    small, large = (trained("trainer.max_steps=2", f"model.width={width}", "test=false") for width in (16, 24))
    with pytest.raises(NnError, match=r"no mean: net\.\S+ is \[16, 64\] in .*, \[24, 64\] in .*use --combine mean"):
        judged([small, large], combine="weights")
    wine = trained("recipe=wine_mlp", "trainer.max_steps=2", "test=false")
    with pytest.raises(NnError, match=r"digits_mlp\S* has 10 classes, wine_mlp\S* has 3"):
        judged([small, wine])
    rule = trained("recipe=perceptron_and", "trainer.max_steps=2", "test=false")
    with pytest.raises(NnError, match=r"PerceptronRule cannot be combined; evaluate one: nn eval"):
        judged([rule, rule])


def test_numbers_are_joined_in_their_own_units() -> None:
    runs = [trained("recipe=diabetes_mlp", "trainer.max_epochs=5", f"seed={seed}") for seed in (0, 1)]
    p, y = answers(runs)
    assert metric(runs, "mae") == pytest.approx((p.mean(0) - y).abs().mean().item(), rel=1e-4)


def test_classes_have_the_names_that_the_data_has(tmp_path: Path) -> None:
    for kind, words in (("calm", "still quiet slow"), ("wild", "loud fast storm")):
        for i in range(40):
            file = tmp_path / "texts" / kind / f"{i}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{words} {i}")
    run = trained("data=text", "data.path=texts", "transform=tokens", "model=bag", "trainer.max_epochs=2")
    found = judged([run], part="train")
    assert [row["class"] for row in found["classes"]] == ["calm", "wild"]
    assert sum(map(sum, found["confusion"])) == sum(row["support"] for row in found["classes"])


def test_students_of_different_teachers_are_joined_and_so_is_a_net_without_one() -> None:
    short = ("trainer.max_epochs=1", "test=false")
    teachers = [trained(*short, f"model.width={width}") for width in (16, 32)]
    student = (*short, "model.width=16", "task=distillation")
    runs = [trained(*student, f"model_teacher.init_from={teacher.name}") for teacher in teachers]
    for several in (runs, [runs[0], teachers[0]], [teachers[0], runs[0]]):
        for combine in ("mean", "weights"):
            assert 0 <= metric(several, "accuracy", combine) <= 1
