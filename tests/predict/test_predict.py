"""What `nn predict` writes, keeps apart and refuses."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import nncli
from nncli.errors import NnError
from nncli.predict import writers
from nncli.predict.answers import Shown, table
from nncli.run.eval import judged
from nncli.run.folder import RunFolder
from tests.data.pictures import noise
from tests.predict.conftest import Predict, Run, csv_of, people


@pytest.fixture
def rows() -> list[dict[str, str]]:
    """The rows of x.csv."""
    found = people(30, seed=2)
    Path("x.csv").write_text(csv_of(found))
    return found


def test_the_answers_are_those_of_eval(run: Run, predict: Predict) -> None:
    others = run("table").parent / "others.csv"
    found = pl.read_csv(predict(run("table"), others, "--keep", "rich").out.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(others.parent)
        metrics = judged([RunFolder(run("table"))])["metrics"]
    assert (found["rich"] == found["class"]).mean() == pytest.approx(metrics["test/accuracy"])


def test_every_format_has_the_same_answers(run: Run, predict: Predict, rows: list[dict[str, str]]) -> None:
    words = (run("table"), "x.csv", "--keep", "job", "--probabilities")
    for name in ("a.csv", "a.parquet", "a.jsonl"):
        done = predict(*words, "--out", name)
        assert (done.code, done.out) == (0, f"30 predictions in {name}\n")
    wanted = pl.read_csv("a.csv")
    assert wanted.columns == ["row", "job", "class", "probability", "p_no", "p_yes"]
    assert wanted["job"].to_list() == [row["job"] for row in rows]
    for other in (pl.read_parquet("a.parquet"), pl.read_ndjson("a.jsonl")):
        assert other["class"].to_list() == wanted["class"].to_list()
        assert np.allclose(other.select("p_no", "p_yes").to_numpy(), wanted.select("p_no", "p_yes").to_numpy())
    assert predict(*words).out == Path("a.csv").read_text()
    assert predict(*words, "--json").out == Path("a.jsonl").read_text()
    told = json.loads(predict(*words, "--json", "--out", "a.csv").out)
    assert told == {"out": "a.csv", "predicted": 30, "rejected": 0}
    assert sorted(path.name for path in Path().iterdir()) == ["a.csv", "a.jsonl", "a.parquet", "x.csv"]


def test_the_most_probable_classes_and_the_probability_of_each(run: Run, predict: Predict) -> None:
    Path("x.csv").write_text(",".join(nncli.load(run("numbers")).task.facts["columns"]) + "\n5,3,1,0.2\n")
    (line,) = predict(run("numbers"), "x.csv", "--top", "3", "--json").out.splitlines()
    found = json.loads(line)
    wanted = nncli.load(run("numbers")).predict([5, 3, 1, 0.2]).sort(descending=True)
    assert [found[name] for name in ("probability", "probability_2", "probability_3")] == pytest.approx(
        wanted.values.tolist(), abs=1e-6
    )
    names = nncli.load(run("numbers")).classes
    assert [found[name] for name in ("class", "class_2", "class_3")] == [names[i] for i in wanted.indices]
    assert "--top is 4, and this model has 3 classes" in predict(run("numbers"), "x.csv", "--top", "4").err


def test_values_are_in_their_units_under_the_name_of_the_target(run: Run, predict: Predict) -> None:
    Path("x.csv").write_text("rooms,size,rent\n2,30,600\n5,25,1500\n")
    found = pl.read_csv(predict(run("regression"), "x.csv", "--keep", "rent").out.encode())
    assert found.columns == ["row", "rent", "predicted_rent"]
    wanted = nncli.load(run("regression")).predict([[2, 30], [5, 25]]).tolist()
    assert found["predicted_rent"].to_list() == pytest.approx(wanted, abs=1e-3)
    assert "--top is for a model that returns probabilities" in predict(run("regression"), "x.csv", "--top", "1").err
    Path("x.csv").write_text("x0,x1\n0,0\n1,1\n")
    assert predict(run("rule"), "x.csv").out.splitlines()[0] == "row,class"


def test_embeddings_are_the_input_of_the_last_layer(run: Run, predict: Predict, rows: list[dict[str, str]]) -> None:
    found = pl.read_csv(predict(run("table"), "x.csv", "--embed").out.encode())
    wanted = nncli.load(run("table"), form="embedding").predict(rows)
    assert found.columns == ["row", *(f"e{i}" for i in range(wanted.shape[1]))]
    assert np.allclose(found[:, 1:].to_numpy(), wanted.numpy(), atol=1e-5)
    with pytest.raises(NnError, match="has no form 'half'; it has predict, embedding"):
        nncli.load(run("table"), form="half")


def test_bad_rows_are_reported_and_kept_apart_and_the_rest_is_predicted(
    run: Run, predict: Predict, rows: list[dict[str, str]]
) -> None:
    lines = Path("x.csv").read_text().splitlines()
    lines[5], lines[9], lines[12] = "old,cook,2015-05-01,no", "30,cook", "30,cook,May,no"
    Path("x.csv").write_text("\n".join(lines))
    done = predict(run("table"), "x.csv", "--out", "a.csv", "--rejected", "bad.csv")
    assert done.code == 0
    assert done.out == "27 predictions in a.csv\n"
    said = done.err.splitlines()
    assert said[0] == "3 of 30 samples could not be read; they are in bad.csv"
    assert "  row 10: this line has 2 fields, the first one 4" in said
    assert any(line.startswith("  row 6: column 'age' holds 'old', which is not a number") for line in said)
    bad = pl.read_csv("bad.csv", infer_schema=False)
    assert bad.columns == ["row", "reason", "age", "job", "since", "rich"]
    assert dict(zip(bad["row"], bad["age"], strict=True)) == {"10": "30", "6": "old", "13": "30"}
    good = pl.read_csv("a.csv")
    assert good["row"].to_list() == [i for i in range(2, 32) if i not in (6, 10, 13)]
    wanted = nncli.load(run("table")).predict([row for i, row in enumerate(rows, 2) if i not in (6, 10, 13)])
    assert np.allclose(good["probability"].to_numpy(), wanted.max(dim=1).values.numpy(), atol=1e-6)
    assert predict(run("table"), "x.csv").err.startswith("3 of 30 samples could not be read; they can be kept apart")


def test_bad_lines_of_json_and_bad_arrays_are_kept_apart(run: Run, predict: Predict) -> None:
    row = json.dumps(people(1)[0])
    Path("x.jsonl").write_text("\n".join([row, "{nonsense", "3", row, '{"age": "\\ud800"}']))
    done = predict(run("table"), "x.jsonl", "--rejected", "bad.csv")
    assert [line.split(",")[0] for line in done.out.splitlines()] == ["row", "1", "4"]
    reasons = ["2,this line is not JSON", "3,this line is no JSON object", "5,this line has half of a character"]
    assert [line.rstrip(",") for line in Path("bad.csv").read_text().splitlines()[1:]] == reasons
    x = np.full((3, 4), 2.0)
    x[1, 2] = np.nan
    np.save("x.npy", x)
    done = predict(run("numbers"), "x.npy")
    assert [line.split(",")[0] for line in done.out.splitlines()] == ["row", "1", "3"]
    assert "row 2: a value is not a finite number" in done.err


def test_where_nothing_can_be_read_there_is_no_output(run: Run, predict: Predict) -> None:
    Path("x.csv").write_text("age,job,since\nold,cook,2015-05-01\n")
    done = predict(run("table"), "x.csv", "--out", "a.csv", "--rejected", "bad.csv")
    assert done.code == 1
    assert done.err.startswith("none of the samples could be read\n  row 2: column 'age' holds 'old'")
    assert not Path("a.csv").exists()
    assert len(Path("bad.csv").read_text().splitlines()) == 2


def test_without_a_run_the_last_one_predicts(run: Run, predict: Predict) -> None:
    shutil.copytree(run("text"), "runs/text")
    Path("x.txt").write_text("a good day\n")
    for words, stdin in ((("x.txt",), b""), (("a good day",), b""), (("-",), b"a good day")):
        done = predict(*words, stdin=stdin)
        assert done.out.splitlines()[0] == "row,class,probability", done.err
        assert done.err == "predicting with the last run\n"


@pytest.mark.parametrize(
    ("kind", "words", "message"),
    [
        ("table", [], "name what .* is to predict: CSV, Parquet or JSON lines"),
        ("table", ["y.csv"], r"y\.csv does not exist\. Did you mean x\.csv\?"),
        ("table", ["photo.png"], r"photo\.png cannot be an input of this model\. It takes CSV"),
        ("table", ["."], r"\. is a folder; name the file in it"),
        ("table", ["empty.csv"], r"empty\.csv is empty"),
        ("table", ["head.csv"], r"head\.csv has a header and no rows"),
        ("table", ["head.jsonl"], r"head\.jsonl has no line that is a JSON object"),
        ("table", ["other.csv"], r"has no column 'job', which the net was trained on \(did you mean 'Job'\?\)"),
        ("table", ["x.csv", "--keep", "jop"], r"x\.csv has no column 'jop' to keep \(did you mean 'job'\?\)"),
        ("table", ["-"], "standard input is empty; this model takes CSV"),
        (
            "table",
            ["x.csv", "--out", "a.xlsx"],
            r"--out is a\.xlsx; its name must end in \.csv or \.parquet or \.jsonl",
        ),
        ("table", ["x.csv", "--rejected", "a.json"], r"--rejected is a\.json; its name must end in \.csv"),
        ("table", ["x.csv", "--out", "no/a.csv"], "--out is no/a.csv: the folder no does not exist"),
        ("table", ["x.csv", "--rejected", "x.csv"], r"x\.csv exists, and is not a file that nn predict wrote here"),
        ("table", ["pipe"], "pipe is a pipe, not a file"),
        ("image", ["x.csv"], r"x\.csv cannot be an input of this model\. It takes pictures"),
        ("image", ["pickle.npy"], r"pickle\.npy cannot be read: it holds Python objects, which are never loaded"),
        ("image", ["two.npz"], r"two\.npz has no array x; it has a, b"),
        ("image", ["broken.npz"], r"broken\.npz cannot be read: File is not a zip file"),
        ("text", ["photo.png"], "cannot be an input of this model. It takes a .txt file"),
        ("text", ["day"], "day does not exist; for a text of one word: echo day"),
        ("text", ["empty.csv"], r"empty\.csv is empty"),
        ("table", ["x.csv", "--trust-file"], "--trust-file is for exported files, and this is a run"),
        ("series", ["x.csv"], r"x\.csv has no column 'north'"),
    ],
)
def test_wrong_words_are_answered_with_what_is_allowed(
    kind: str, words: list[str], message: str, run: Run, predict: Predict, rows: list[dict[str, str]]
) -> None:
    for name, text in (("empty.csv", ""), ("head.csv", "age,job,since\n"), ("head.jsonl", "3\n")):
        Path(name).write_text(text)
    Path("other.csv").write_text("age,Job,since\n30,cook,2015-05-01\n")
    Path("photo.png").write_bytes(noise(0, 8, "PNG"))
    np.save("pickle.npy", np.array([{}]), allow_pickle=True)
    np.savez("two.npz", a=np.zeros(2), b=np.zeros(2))
    Path("broken.npz").write_bytes(b"PK\x03\x04")
    os.mkfifo("pipe")
    done = predict(run(kind), *words)
    assert done.code == 1
    assert re.search(message, done.err), done.err
    assert "Traceback" not in done.err
    assert len(done.err.splitlines()) == 1, done.err


def test_a_run_or_file_that_is_not_there(predict: Predict, rows: list[dict[str, str]]) -> None:
    done = predict("lest", "x.csv")
    assert done.code == 1
    assert done.err.splitlines() == [
        "no such run: lest is not under runs. To list the runs: nn runs ls",
        "There is no file lest either, exported or to be predicted",
    ]
    assert "there are no runs under runs yet" in predict("x.csv").err
    assert "there are no runs under runs yet" in predict().err


def test_only_predictions_are_overwritten(run: Run, predict: Predict, rows: list[dict[str, str]]) -> None:
    words = (run("table"), "x.csv", "--rejected", "bad.csv", "--out")
    for name in ("a.csv", "a.parquet", "a.jsonl"):
        assert [predict(*words, name, *more).code for more in ((), ("--top", "2"), ())] == [0, 0, 0]
        with Path(name).open("ab") as file:
            file.write(b"\n")
        before = Path(name).read_bytes()
        done = predict(*words, name)
        assert (done.code, done.err.startswith(f"{name} exists, and is not a file that nn")) == (1, True), done.err
        assert Path(name).read_bytes() == before
    Path("link.csv").symlink_to("bad.csv")
    assert predict(*words, "link.csv").code == 1
    assert not [path for path in Path().iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.jsonl"])
def test_a_full_disk_leaves_nothing_half_written(
    name: str, run: Run, predict: Predict, rows: list[dict[str, str]]
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
        done = predict(run("table"), "x.csv", "--out", name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert done.code == 1
    assert re.match(rf"{name} cannot be written: File too large", done.err), done.err
    assert [path.name for path in Path().iterdir()] == ["x.csv"]


def test_ctrl_c_leaves_nothing_half_written(
    run: Run, predict: Predict, rows: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nncli.predict.run.table", stop)
    done = predict(run("table"), "x.csv", "--out", "a.csv", "--rejected", "bad.csv")
    assert done.code == 130
    assert [path.name for path in Path().iterdir()] == ["x.csv"]


def test_a_terminal_shows_the_first_rows_and_how_to_get_all(capsys: pytest.CaptureFixture[str]) -> None:
    screen = writers.Screen()
    for low in range(0, 30, 10):
        outputs = {"probabilities": np.array([[0.75, 0.25]] * 10, dtype=np.float32)}
        answers, _ = table(outputs, {"classes": ["cat", "dog"]}, Shown())
        screen.write(pl.DataFrame({"row": range(low, low + 10)}).hstack(answers))
    screen.show()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["row", "class", "probability"]
    assert lines[1].split() == ["0", "cat", "0.7500"]
    assert len(lines) == 22
    assert lines[-1] == "and 10 more; to keep all of them: --out FILE"


def test_an_exported_file_predicts_without_torch(run: Run, predict: Predict, rows: list[dict[str, str]]) -> None:
    from nncli.export.export import export

    export(run("table"), "onnx", Path("rich.onnx"), timed=False)
    program = (
        "import sys\nfrom nncli.cli.main import main\nsys.argv = ['nn', 'predict', 'rich.onnx', 'x.csv']\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'hydra', 'lightning', 'sklearn'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, wanted = (pl.read_csv(text.encode()) for text in (done.stdout, predict(run("table"), "x.csv").out))
    assert found["class"].to_list() == wanted["class"].to_list()
    assert np.allclose(found["probability"].to_numpy(), wanted["probability"].to_numpy(), atol=1e-5)
    assert "for embeddings, export the run with --form embedding" in predict("rich.onnx", "x.csv", "--embed").err
