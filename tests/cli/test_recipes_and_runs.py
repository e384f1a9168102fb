"""`nn recipes` and `nn runs` as a person meets them, odd files and names included."""

import json
from pathlib import Path

from tests.conftest import Nn


def test_an_odd_recipe_header_is_shown_as_it_is_and_breaks_nothing(nn: Nn, tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "odd.yaml").write_bytes(b"# [/] odd [bold]\xff\n# claim: {a: &a [1], b: *a}\n")
    done = nn("recipes", "ls")
    assert done.returncode == 0, done.stderr
    assert "odd (yours)" in done.stdout
    assert "[/] odd [bold]" in done.stdout
    claims = {r["name"]: r["claim"] for r in json.loads(nn("recipes", "ls", "--json").stdout)}
    assert claims["odd"] == {}
    assert claims["digits_mlp"]["metric"] == "test/accuracy"


def test_a_copied_recipe_is_ones_own_and_is_never_overwritten(nn: Nn, tmp_path: Path) -> None:
    assert nn("recipes", "cp", "wine_mlp", "mine").returncode == 0
    assert (tmp_path / "recipes" / "mine.yaml").is_file()
    again = nn("recipes", "cp", "wine_mlp", "mine")
    assert again.returncode == 1
    assert "exists already" in again.stderr
    assert nn("recipes", "cp", "wine_mlp", "../mine").returncode == 1
    assert "Did you mean wine_mlp" in nn("recipes", "show", "wine_mpl").stderr


def test_runs_are_listed_shown_compared_and_removed(nn: Nn, tmp_path: Path) -> None:
    for seed in (0, 1):
        assert nn("train", "trainer=fast", f"seed={seed}", "-q").returncode == 0
    listed = json.loads(nn("runs", "ls", "--json").stdout)
    assert [run["status"] for run in listed] == ["finished", "finished"]
    names = [run["name"] for run in listed]
    difference = nn("runs", "diff", *names).stdout.split()
    assert difference[difference.index("seed") + 1 :][:2] == ["1", "0"]
    assert "trainer.max_epochs" not in difference
    assert json.loads(nn("runs", "show", "last", "--json").stdout)["words"] == ["trainer=fast", "seed=1"]
    assert nn("runs", "rm", "last", names[0], "--yes").returncode == 0
    assert [run["name"] for run in json.loads(nn("runs", "ls", "--json").stdout)] == [names[1]]
    assert nn("runs", "show", names[0]).returncode == 1


def test_eval_gives_what_training_gave(nn: Nn, tmp_path: Path) -> None:
    assert nn("train", "trainer.max_epochs=2", "-q").returncode == 0
    done = nn("eval", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(next((tmp_path / "runs").rglob("summary.json")).read_text())["metrics"]
    found = json.loads(done.stdout)["metrics"]
    assert found == {k: v for k, v in summary.items() if k.startswith("test/")}
    told = json.loads(nn("eval", "last", "--part", "train", "--json").stdout)
    assert {"train/loss", "train/accuracy", "train/f1", "train/roc_auc", "train/ece"} <= told["metrics"].keys()
    assert sum(map(sum, told["confusion"])) == sum(row["support"] for row in told["classes"])


def test_a_reader_that_leaves_does_not_end_the_run(nn: Nn, tmp_path: Path) -> None:
    import subprocess
    import sys

    command = f"{sys.executable} -m nncli train trainer.max_epochs=2 run_dir=r | head -1"
    subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, check=True)
    assert json.loads((tmp_path / "r" / "summary.json").read_text())["status"] == "finished"


def test_a_list_of_runs_names_each_whole_on_one_line(nn: Nn) -> None:
    nn("train", "recipe=digits_mlp", "trainer.max_steps=1")
    (line,) = nn("runs", "ls").stdout.splitlines()
    name = json.loads(nn("runs", "ls", "--json").stdout)[0]["name"]
    assert line.split()[0] == name
    assert "test/accuracy" in line
