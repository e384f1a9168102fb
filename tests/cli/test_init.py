"""`nn init` makes a folder in which everything works."""

import subprocess
import sys
from pathlib import Path

import pytest

from nncli.cli.init import init
from nncli.errors import NnError


def test_the_project_trains_and_its_test_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init("new/project")
    assert "cd new/project && nn train recipe=mine" in capsys.readouterr().out
    project = tmp_path / "new" / "project"
    assert not list(project.rglob("*.txt"))
    assert "runs/" in (project / ".gitignore").read_text()
    command = [sys.executable, "-m", "pytest", "-q", "-W", "ignore"]  # which trains recipe=mine
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(NnError, match="is not empty; name a new folder"):
        init(".")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "empty" / ".git").mkdir(parents=True)
    init("empty")
    assert (tmp_path / "empty" / "recipes" / "mine.yaml").is_file()
