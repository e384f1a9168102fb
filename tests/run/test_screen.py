"""What a run shows: to a person in a terminal, in a pipe, and to a program."""

import json
import os
import sys
from pathlib import Path

import pytest

import nncli
from nncli.run.screen import Screen
from tests.conftest import Nn
from tests.warm import Command

QUICK = ["trainer.max_epochs=2", "run_dir=r"]


def test_a_pipe_gets_plain_lines_without_escapes(nn: Nn) -> None:
    done = nn("train", *QUICK)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "digits_mlp · MLP (26,122 parameters) · AdamW · cpu" in done.stdout
    assert "next: nn eval r" in done.stdout
    assert done.stderr == ""


def test_json_is_one_object_a_line_and_ends_with_the_summary(nn: Nn, tmp_path: Path) -> None:
    done = nn("train", *QUICK, "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    summary = json.loads((tmp_path / "r" / "summary.json").read_text())
    assert lines[-1]["run"] == str(tmp_path / "r")
    assert lines[-1]["metrics"] == summary["metrics"]
    keys = ["status", "metrics", "wall_s", "first_step_s", "samples_per_s", "peak_memory_mb", "epochs", "steps", "seed"]
    assert set(keys) <= summary.keys()
    assert {"train/loss", "val/loss", "val/accuracy", "test/loss", "test/accuracy"} <= summary["metrics"].keys()


def test_quiet_says_nothing(nn: Nn) -> None:
    done = nn("train", *QUICK, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_a_terminal_gets_a_bar_with_loss_metric_rate_and_time(warm: str, tmp_path: Path) -> None:
    import pty

    master, slave = pty.openpty()
    words = ["train", "trainer.max_epochs=60", "run_dir=r"]
    env = os.environ | {"TERM": "xterm", "COLUMNS": "150"}
    command = Command(warm, words, str(tmp_path), env, (slave, slave, slave))
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    assert command.wait() == 0
    text = seen.decode()
    for fact in ("epoch ", "/60", "━", "samples/s", "loss", "val/accuracy", "lr", "left"):
        assert fact in text
    assert "Traceback" not in text


def test_a_notebook_gets_the_same_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = nncli.fit(["trainer=fast", "run_dir=r"], show="quiet")
    assert run.path == tmp_path / "r"
    assert run.status() == "finished"
    assert capfd.readouterr().out == ""


def test_dry_run_checks_and_leaves_nothing(nn: Nn, tmp_path: Path) -> None:
    done = nn("train", "--dry-run")
    assert done.returncode == 0
    assert "nothing was started" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_net_that_does_not_fit_is_told_before_a_folder_is_made(nn: Nn, tmp_path: Path) -> None:
    done = nn("train", "model.input_shape=[1,9,9]")
    assert done.returncode == 1
    assert "do not fit together" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_gets_the_same_numbers(nn: Nn, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert nn("train", *QUICK, "logger=tensorboard", "-q").returncode == 0
    events = EventAccumulator(str(tmp_path / "r" / "tensorboard"))
    events.Reload()
    assert {"train/loss", "val/accuracy", "test/accuracy"} <= set(events.Tags()["scalars"])


@pytest.mark.parametrize(
    ("word", "steps", "at_most"),  # the untrained net's loss is 2.33
    [
        ("trainer.accumulate=2", 78, 0.9),
        ("trainer.compile=true", 78, 0.9),
        ("trainer.early_stopping=1", 78, 0.9),
        ("trainer.overfit_batches=1", 2, 2.27),
        ("trainer.limit_batches=3", 6, 2.2),
        ("trainer.val_every=2", 78, 0.9),
        ("trainer.channels_last=true", 78, 1.5),
        ("trainer.threads=1", 78, 0.9),
        ("trainer.deterministic=false", 78, 0.9),
        ("regularization.ema=0.9", 78, 0.9),
        ("trainer.precision=bf16", 78, 0.9),
    ],
)
def test_every_choice_of_the_trainer_trains(nn: Nn, tmp_path: Path, word: str, steps: int, at_most: float) -> None:
    model = ["model=resnet", "model.form=cifar", "model.width=4"] if "channels_last" in word else []
    done = nn("train", "trainer.max_epochs=2", word, *model, "run_dir=r", "-q", timeout=300)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "r" / "summary.json").read_text())
    assert (summary["status"], summary["steps"]) == ("finished", steps)
    assert 0 < summary["metrics"]["train/loss"] < at_most


def test_accumulation_learns_what_one_batch_learns(nn: Nn, tmp_path: Path) -> None:
    words = ["regularization=none", "trainer.precision=32", "trainer.max_steps=20"]
    for name, accumulate in (("one", 1), ("four", 4)):
        assert nn("train", *words, f"trainer.accumulate={accumulate}", f"run_dir={name}", "-q").returncode == 0
    one, four = (json.loads((tmp_path / n / "summary.json").read_text())["metrics"] for n in ("one", "four"))
    assert one["train/loss"] == pytest.approx(four["train/loss"], rel=1e-4)
    assert one["val/loss"] == pytest.approx(four["val/loss"], rel=1e-4)


def test_what_a_file_calls_its_parts_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen("plain")
    screen.line("unused: \x1b[2Jevil\x1b]0;t\x07 [bold]")
    screen.warn("unused: \x1b[2J")
    said = capsys.readouterr()
    assert said.out == "unused: �[2Jevil�]0;t� [bold]\n"
    assert said.err == "unused: �[2J\n"
