"""`nn tune` as a person types it."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from nncli.cli.main import app
from nncli.cli.tune import command
from nncli.errors import ConfigError, NnError


def test_lr_draws_the_loss_and_ends_with_the_line_to_type(tmp_path: Path) -> None:
    words = ["recipe=wine_mlp", "optimizer.lr=0.5", "model.width=16"]
    done = CliRunner().invoke(app, ["tune", "lr", *words, "--out", "lr.png"])
    assert done.exit_code == 0, done.output
    assert "█" in done.output
    assert "▲" in done.output
    assert "the config has 0.5" in done.output
    last = done.output.strip().splitlines()[-1]
    assert last.startswith("type: nn train recipe=wine_mlp model.width=16 optimizer.lr=0.0")
    with Image.open(tmp_path / "lr.png") as image:
        assert image.width == 900
    assert [file.name for file in tmp_path.iterdir()] == ["lr.png"]


def test_lr_for_a_program_names_every_rate() -> None:
    done = CliRunner().invoke(app, ["tune", "lr", "recipe=wine_mlp", "optimizer=muon", "--steps", "60", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert len(told["rates"]) == len(told["losses"])
    ratio = told["suggested"]["optimizer.lr"] / told["suggested"]["optimizer.adam_lr"]
    assert ratio == pytest.approx(0.02 / 0.003, rel=0.1)


def test_batch_under_two_devices_divides_and_names_two_sizes() -> None:
    words = ["recipe=wine_mlp", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.accumulate=2"]
    done = CliRunner().invoke(app, ["tune", "batch", *words])
    assert done.exit_code == 0, done.output
    assert "of each of 2 devices" in done.output
    lines = done.output.splitlines()
    table = [line.split() for line in lines if " MB " in line and "may take" not in line]
    assert [int(row[0]) for row in table] == [16, 32, 64]  # four samples each; 124 in the training part
    assert "the largest that fits: 64" in done.output
    assert any(line.startswith("type: nn train recipe=wine_mlp trainer.accelerator=cpu") for line in lines)


def test_what_was_typed_stays_and_is_quoted() -> None:
    line = command("train", ["model.channels=[8,8]", "+data.batch_size=3"], {"data.batch_size": 64}, ["mine"])
    assert line == "nn train 'model.channels=[8,8]' data.batch_size=64 --trust mine"


@pytest.mark.parametrize("verb", ["lr", "batch"])
def test_a_wrong_word_is_reported_as_train_reports_it(verb: str) -> None:
    done = CliRunner().invoke(app, ["tune", verb, "recipe=wine_mlp", "model.widht=3"])
    assert isinstance(done.exception, ConfigError)
    assert [(p.key, p.code) for p in done.exception.problems] == [("model.widht", "unknown-key")]
    done = CliRunner().invoke(app, ["tune", verb, "recipe=wine_mlp", "data.batch_size=4000"])
    assert isinstance(done.exception, NnError)
    assert "more than the 124 samples of the training part" in str(done.exception)


def test_bounds_in_the_wrong_order_are_told() -> None:
    done = CliRunner().invoke(app, ["tune", "lr", "--low", "1", "--high", "0.1"])
    assert isinstance(done.exception, NnError)
    assert "--low is 1 and --high is 0.1" in str(done.exception)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["tune", "lr", "--high", "inf"], "--high is inf; both must be numbers with 0 < low < high"),
        (["tune", "lr", "--out", "gone/x.png"], "the folder gone does not exist"),
        (["config", "show", "--lr", "--out", "."], "it is a folder"),
        (["config", "show", "--steps", "5"], "nn config show --lr"),
    ],
)
def test_what_could_not_be_drawn_is_told_before_anything_is_tried(words: list[str], told: str) -> None:
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, NnError)
    assert told in str(done.exception)
    assert not done.output


def test_no_rate_is_suggested_for_an_optimizer_that_finds_its_steps() -> None:
    words = ["recipe=wine_mlp", "optimizer=lbfgs", "scheduler=constant", "data.batch_size=4"]
    done = CliRunner().invoke(app, ["tune", "batch", *words])
    assert done.exit_code == 0, done.output
    assert done.output.strip().splitlines()[-1].startswith("type: nn train recipe=wine_mlp optimizer=lbfgs")
