"""`nn shrink`: each setting is measured on the same data, and the report stays with the run."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

import nncli
from nncli.cli.main import app
from nncli.errors import NnError
from nncli.export import measure
from nncli.export.shrink import SWEEP, Setting, settings, shrink
from nncli.run.folder import RunFolder
from nncli.run.removal import remove


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A net with more channels than it needs."""
    folder = tmp_path_factory.mktemp("source") / "digits"
    words = ["model=cnn", "model.channels=[32,64]", "trainer.max_epochs=4", "trainer.precision=32", "test=false"]
    return nncli.fit([*words, f"run_dir={folder}"], show="quiet")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test compares speeds."""
    monkeypatch.setattr(measure, "SECONDS", 0.001)


@pytest.fixture
def trained(source: RunFolder) -> RunFolder:
    shutil.copytree(source.path, "runs/digits_cnn/one")
    return RunFolder(Path("runs/digits_cnn/one").absolute())


def test_a_sweep_has_each_way_alone_and_pruned_nets_in_int8_too() -> None:
    assert [str(one) for one in SWEEP] == [
        *("unchanged", "dynamic", "static", "weight-only"),
        *("pruned 0.3", "pruned 0.3, static", "pruned 0.5", "pruned 0.5, static", "pruned 0.7", "pruned 0.7, static"),
    ]


def test_settings_are_compared_and_the_report_stays_with_the_run(trained: RunFolder) -> None:
    said: list[str] = []
    report = shrink(trained.name, settings([0.5], ["static"]), epochs=2, fast=True, quiet=True, announce=said.append)
    assert said == [f"  {n} of 4 · {text}" for n, text in enumerate(map(str, settings([0.5], ["static"])), 1)]
    assert json.loads(trained.shrink.read_text()) == json.loads(json.dumps(report))
    rows = {row["setting"]: row for row in report["rows"]}
    assert report["metric"] == "accuracy"
    assert all(row["metrics"]["accuracy"] > 0.9 for row in rows.values())
    sizes = [rows[name]["bytes"] for name in ("unchanged", "static", "pruned 0.5", "pruned 0.5, static")]
    assert sizes[0] > 2.9 * max(sizes[1:3])
    assert sizes[0] > 6 * sizes[3]
    assert rows["pruned 0.5"]["run"] == rows["pruned 0.5, static"]["run"] != rows["unchanged"]["run"]
    assert rows["pruned 0.5"]["run"].startswith("digits_cnn_pruned/")
    with Image.open(trained.plots / "shrink.png") as image:
        assert image.size[0] > 2 * image.size[1]
        assert len(image.getcolors(2**16) or ()) > 5
    shrink(trained.name, [Setting()], epochs=1, fast=True)
    assert len(json.loads(trained.shrink.read_text())["rows"]) == 1, "and the picture is replaced too"


def test_what_nn_shrink_wrote_is_deleted_with_the_run(trained: RunFolder) -> None:
    shrink(trained.name, [Setting()], epochs=1, fast=True)
    remove(trained)
    assert not trained.path.exists()


def test_a_setting_that_is_impossible_does_not_end_the_others() -> None:
    run = nncli.fit(["model=linear", "trainer.max_epochs=1", "test=false"], show="quiet")
    report = shrink(run.name, settings([0.5], ["dynamic"]), epochs=1, fast=True, quiet=True)
    assert [("failed" in row) for row in report["rows"]] == [False, False, True, True]
    assert "has no hidden channels" in report["rows"][2]["failed"]


def test_the_command_prints_a_table_or_json(trained: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    app(["shrink", "last", "--quantize", "dynamic", "--fast"], standalone_mode=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][0] == trained.name
    assert [line[0] for line in lines[2:4]] == ["unchanged", "dynamic"]
    assert float(lines[3][3]) > 1.2, "times smaller"
    app(["shrink", "last", "--quantize", "dynamic", "--fast", "--json"], standalone_mode=False)
    report = json.loads(capsys.readouterr().out)
    assert [row["setting"] for row in report["rows"]] == ["unchanged", "dynamic"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "choose what to compare"),
        (["--quantize", "int4"], "--quantize is int4; it must be dynamic, static or weight-only"),
        (["--prune", "1.0"], "it is the fraction to remove, between 0 and 1"),
        (["--quantize", "static", "--finetune", "2"], "--finetune has no effect without --prune or --sweep"),
    ],
)
def test_what_cannot_be_compared_is_told(words: list[str], said: str, trained: RunFolder) -> None:
    with pytest.raises(NnError, match=said):
        app(["shrink", trained.name, *words], standalone_mode=False)


def test_a_run_that_does_not_exist_is_told() -> None:
    with pytest.raises(NnError, match="no such run"):
        shrink("nobody", [Setting()], epochs=1)
