"""`nn data` as a person meets it: what there is, what it looks like, and what is wrong with it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from nncli.cli.complete import complete_data
from nncli.cli.data import app
from nncli.cli.show_data import draw
from nncli.errors import ConfigError, NnError

Table = Callable[..., Path]


def run(*words: str, code: int = 0) -> str:
    """What a verb prints; its errors are raised as they are."""
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def grey(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Write a CSV of two measures and a class, 200 rows, with lines of one's own at its end."""

    def write(*more: str, name: str = "x.csv", seed: int = 0) -> Path:
        generator = np.random.default_rng(seed)
        lines = [f"{a:.6f},{b:.6f},{'yes' if a > b else 'no'}" for a, b in generator.normal(size=(200, 2))]
        path = tmp_path / name
        path.write_text("\n".join(["a,b,y", *lines, *more]) + "\n")
        return path

    return write


def test_ls_tells_what_is_here_what_is_fetched_and_what_wants_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "data" / "own.yaml").write_text("# [/] my own\n_target_: mine.Own\n")
    (tmp_path / "conf" / "data" / "odd.yaml").write_text("# odd\na: &b [1]\n")
    told = {choice["name"]: choice for choice in json.loads(run("ls", "--json"))}
    assert (told["digits"]["kind"], told["digits"]["state"]) == ("image", "here")
    assert (told["csv"]["kind"], told["csv"]["state"]) == ("table", "data.path=…")
    assert (told["etth1"]["kind"], told["etth1"]["state"]) == ("series", "download")
    assert told["pydoc"]["state"] == "here"
    assert told["own"] == {"name": "own", "title": "[/] my own", "kind": "table", "state": "here", "is_own": True}
    assert "anchors" in told["odd"]["title"]
    (tmp_path / "cache" / "data" / "ett").mkdir(parents=True)
    (tmp_path / "cache" / "data" / "ett" / "ETTh1.csv.part").touch()
    (tmp_path / "cache" / "data" / "ett" / "ETTh2.csv").touch()
    lines = {line.split()[0]: line for line in run("ls").splitlines()}
    assert "download" in lines["etth1"]
    assert "here" in lines["etth2"]
    assert "own (yours)" in lines["own"]


def test_get_says_where_the_data_lies(table: Table) -> None:
    assert run("get", "digits") == "nothing to download\n"
    path = table()
    assert run("get", "csv", f"data.path={path}", "data.target=y").startswith("already here: x.csv (4.")


def test_show_counts_every_part_and_draws_the_pictures(tmp_path: Path) -> None:
    told = json.loads(run("show", "digits", "--json"))
    assert {name: part["samples"] for name, part in told["parts"].items()} == {"train": 1257, "val": 270, "test": 270}
    assert told["parts"]["train"]["input"] == {"shape": [1, 8, 8], "type": "uint8"}
    assert sum(told["parts"]["train"]["classes"].values()) == 1257
    sheet = grey(tmp_path / told["picture"])
    assert (sheet.min(), sheet.max()) == (0, 255), "white strokes on black, though digits end at 16"
    assert sheet.shape[1] > 700
    text = run("show", "recipe=digits_mlp", "--part", "val", "--out", "here/p.png")
    assert "1 × 8 × 8 uint8 → int64" in text
    assert (tmp_path / "here" / "p.png").is_file()


def test_names_in_a_file_cannot_reach_the_terminal(tmp_path: Path) -> None:
    clear = "\x1b[2J"
    (tmp_path / "x.csv").write_text(f"a{clear},b,y\n" + "\n".join(f"{i},{clear},{clear}{i % 2}" for i in range(60)))
    told = run("show", "csv", "data.path=x.csv", "data.target=y")
    assert "a�[2J" in told
    assert "\x1b" not in told
    (tmp_path / "x.csv").write_text(f"{clear},y\n1,a\n" * 2)
    done = subprocess.run(
        [sys.executable, "-m", "nncli", "data", "show", "csv", "data.path=x.csv"], capture_output=True, text=True
    )
    assert (done.returncode, "\x1b" in done.stderr, "�[2J, y" in done.stderr) == (1, False, True)


def test_few_samples_can_be_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("a,y\n" + "\n".join(f"{i},{'ab'[i % 2]}" for i in range(12)))
    told = json.loads(run("show", "csv", "data.path=few.csv", "data.target=y", "--json"))
    assert told["parts"]["train"]["samples"] == 8, "fewer than the 32 of a batch"


def test_augmented_pictures_differ_from_draw_to_draw_and_not_from_run_to_run(tmp_path: Path) -> None:
    def drawn(*words: str) -> bytes:
        run("show", "digits", "transform=crop_flip", "--augmented", "--out", "p.png", *words)
        return (tmp_path / "p.png").read_bytes()

    first = drawn()
    assert drawn() == first
    assert drawn("seed=1") != first
    run("show", "digits", "--augmented", "--out", "plain.png")
    tiles = grey(tmp_path / "plain.png")[6:78]
    assert np.array_equal(tiles[:, 6:78], tiles[:, 84:156]), "a transform that changes nothing draws the same again"
    tiles = grey(tmp_path / "p.png")[6:78]
    assert not np.array_equal(tiles[:, 84:156], tiles[:, 162:234])


def test_a_terminal_shows_pictures_in_half_blocks() -> None:
    from nncli.insight.source import composed, source

    config = composed(["digits"])
    data = source(config)
    data.setup()
    screen = Console(force_terminal=True, width=60, record=True, color_system="truecolor")
    path, strip = draw(config, data, {"name": "digits", "kind": "image", "part": "train"}, "", False, screen)
    assert path == Path("data_show/digits.png")
    assert strip is not None
    lines = strip.plain.splitlines()
    assert len(lines) == 4, "eight rows of pixels"
    assert len(lines[0].split()) == 6, "as many pictures as fit"


def test_show_tells_the_columns_of_a_table_as_they_stood_in_the_file(table: Table) -> None:
    path = table("1.5,,yes", "2.5,0.5,no")
    told = json.loads(run("show", "csv", f"data.path={path}", "data.target=y", "--json"))
    columns = {column["name"]: column for column in told["columns"]}
    assert set(columns) == {"a", "b"}
    assert sum(column["missing"] for column in columns.values()) <= 1
    assert set(told["parts"]["train"]["classes"]) == {"no", "yes"}
    assert told["found"]["num_classes"] == 2
    text = run("show", "wine")
    assert "proline" in text
    assert "most frequent" in text


def test_show_tells_vocabulary_and_samples_of_texts_and_the_ranges_of_series(tmp_path: Path) -> None:
    (tmp_path / "names").mkdir()
    for language, ending in (("A", "ino"), ("B", "sky")):
        (tmp_path / "names" / f"{language}.txt").write_text(
            "\n".join(f"{c}{d}{ending}" for c in "kmpt" for d in "aeio")
        )
    told = json.loads(run("show", "names", "data.path=names", "data.batch_size=4", "--json"))
    assert told["lengths"] == [5, 5, 5, 5, 5]
    assert told["texts"][0]["text"].endswith(("ino", "sky"))
    assert told["texts"][0]["target"] == ("A" if told["texts"][0]["text"].endswith("ino") else "B")
    assert "vocabulary of" in run("show", "names", "data.path=names", "data.batch_size=4")
    rows = "\n".join(f"{step},{np.sin(step / 9):.5f}" for step in range(400))
    (tmp_path / "s.csv").write_text(f"step,wave\n{rows}\n")
    text = run("show", "series", "data.path=s.csv", "data.time=null", "data.target=wave")
    assert "wave" in text
    assert "█" in text
    assert grey(tmp_path / "data_show" / "series.png").shape[1] == 900


def test_check_finds_what_was_planted_in_a_csv(table: Table) -> None:
    train, test = table(), table(name="t.csv", seed=1)
    lines = train.read_text().splitlines()
    test.write_text("\n".join([*test.read_text().splitlines(), *lines[1:11]]) + "\n")
    words = ["csv", f"data.path={train}", f"data.test_path={test}", "data.target=y"]
    text = run("check", *words, code=1)
    assert "wrong    leak" in text
    assert "t.csv, line 202" in text
    assert "x.csv, line 2" in text
    told = json.loads(run("check", *words, "--json", code=1))
    leaks = [finding for finding in told["findings"] if finding["what"] == "leak" and "test" in finding["text"]]
    assert sum(finding["count"] for finding in leaks) == 10


def test_check_finds_leaks_copies_and_labels_out_of_range_in_arrays_that_cannot_be_trained_on(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 256, (300, 1, 6, 6)).astype(np.uint8), np.arange(300) % 3
    test = generator.integers(0, 256, (60, 1, 6, 6)).astype(np.uint8)
    labels = np.arange(60) % 3
    test[[4, 5]] = x[[10, 20]]
    test[31] = test[30]
    labels[[7, 8]] = [3, -2]
    np.savez(tmp_path / "train.npz", x=x, y=y)
    np.savez(tmp_path / "test.npz", x=test, y=labels)
    words = ["arrays", "data.path=train.npz", "data.test_path=test.npz", "data.num_classes=3"]
    told = json.loads(run("check", *words, "--json", code=1))
    found = {(finding["what"], finding["severity"]): finding for finding in told["findings"]}
    assert found["label out of range", "wrong"]["count"] == 2
    assert found["label out of range", "wrong"]["bound"].startswith("0 to 2")
    assert found["duplicate", "look"]["count"] == 1
    assert sum(f["count"] for f in told["findings"] if f["what"] == "leak") == 2
    assert "test.npz" in found["label out of range", "wrong"]["where"][0]
    with pytest.raises(NnError, match="num_classes is 3"):
        run("show", *words)


def test_check_of_sound_data_ends_with_0_and_of_a_broken_file_with_1(tmp_path: Path) -> None:
    assert "0 wrong, 0 to look at" in run("check", "wine")
    (tmp_path / "x.csv").write_text("a,y\n1,2\n1,2,3\n")
    assert "cannot be loaded" in run("check", "csv", "data.path=x.csv", "data.target=y", code=1)


def test_words_are_checked_as_everywhere_but_only_where_they_matter(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean digits"):
        run("show", "dgits")
    with pytest.raises(ConfigError, match=r"data.batch_size = 0 .*\[wrong-value\]"):
        run("check", "digits", "data.batch_size=0")
    with pytest.raises(NnError, match="the kind of this data is table"):
        run("show", "wine", "--augmented")
    run("check", "diabetes")  # measured targets, though the task is classification unless one says otherwise


@pytest.mark.parametrize("verb", ["show", "check", "get"])
def test_a_hostile_target_is_refused_and_never_imported(tmp_path: Path, verb: str) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w').close()\nclass Set: pass\n")
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "data" / "bad.yaml").write_text("# bad\n_target_: evil.Set\n")
    with pytest.raises(ConfigError, match="--trust evil"):
        run(verb, "bad")
    assert "bad" in run("ls")
    assert not (tmp_path / "canary").exists()


def test_tab_offers_the_names_of_sets_first_and_then_words() -> None:
    assert [text for text, _ in complete_data("dig")] == ["digits", "digits28"]
    assert "data=" in [text for text, _ in complete_data("dat")]
    assert [text for text, _ in complete_data("data=dig")] == ["data=digits", "data=digits28"]
