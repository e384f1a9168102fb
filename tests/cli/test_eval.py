"""What `nn eval` shows."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nncli.cli.eval import _matrix, _pairs
from nncli.cli.main import app
from nncli.cli.options import console

# Lightning 2.6 asks torch for tree leaves in the way that torch 2.13 advises against.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")


def nn(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_eval_shows_metrics_classes_and_confusions() -> None:
    nn("train", "recipe=wine_mlp", "run_dir=r", "trainer.accelerator=cpu", "-q")
    plain = nn("eval", "r", "data.batch_size=8")
    for text in ("r · best weights · test part", "test/roc_auc", "precision", "support", "confusion matrix"):
        assert text in plain, plain
    told = json.loads(nn("eval", "r", "--part", "val", "--json"))
    assert told["run"] == str(Path("r").absolute())
    assert {"val/accuracy", "val/f1", "val/ece"} <= told["metrics"].keys()
    assert [len(row) for row in told["confusion"]] == [3, 3, 3]
    assert "mean predictions of r, r" in nn("eval", "r", "r")
    assert json.loads(nn("eval", "r", "r", "--combine", "vote", "--json"))["combine"] == "vote"


def test_verify_says_what_holds_and_ends_with_1_where_something_does_not() -> None:
    done = CliRunner().invoke(app, ["verify", "recipe=perceptron_and", "recipe=perceptron_or"])
    assert done.exit_code == 0, done.output
    assert "2 of 2 claims hold" in done.stdout
    broken = CliRunner().invoke(app, ["verify", "recipe=digits_mlp", "trainer.max_steps=1", "--json"])
    assert broken.exit_code == 1
    assert [row["holds"] for row in json.loads(broken.stdout)] == [False]


def test_rows_of_a_matrix_are_classes_and_pairs_are_the_worst(capsys: pytest.CaptureFixture[str]) -> None:
    labels, confusion = ["cat", "automobiles"], [[5, 2], [0, 7]]
    console().print(_matrix(labels, confusion))
    cells = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert cells == [["cat", "automob…"], ["cat", "5", "2"], ["automobiles", "·", "7"]]
    console().print(_pairs(labels, confusion))
    assert capsys.readouterr().out.split()[-3:] == ["cat", "automobiles", "2"]
