"""A shell may close a stream of a verb: it does its work, or says by its exit code that it did not."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there the shell closes no streams")

TRAIN = "train model.width=4 trainer.max_steps=1 run_dir=r"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("words", "code"), [("recipes ls", 0), (TRAIN, 0), ("train seed=x", 1), ("no-such-verb", 2)])
def test_a_verb_with_a_closed_stream(tmp_path: Path, words: str, code: int, closed: str) -> None:
    line = f"{shlex.quote(sys.executable)} -m nncli {words} {closed}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr
    for word in ("Traceback", "nn itself failed", "NoneType"):
        assert word not in done.stdout + done.stderr
    assert (tmp_path / "r" / "checkpoints" / "last.ckpt").is_file() == (words == TRAIN)


def test_a_question_that_nobody_can_answer_is_not_taken_for_a_yes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "nncli", *TRAIN.split()], check=True, capture_output=True)
    line = f"{shlex.quote(sys.executable)} -m nncli runs rm r --outside <&-"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert (tmp_path / "r").is_dir()
