"""Every kind of input gives the answers of `nncli.load(run).predict`, with the place of each."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import nncli
from nncli.data.images import decode_pool
from nncli.errors import NnError
from tests.data.pictures import lay, noise, pack
from tests.predict.conftest import Predict, Run, csv_of, people


def answers(text: str) -> pl.DataFrame:
    return pl.read_csv(text.encode(), infer_schema_length=None)


def check(found: pl.DataFrame, run: Path, raw: object) -> None:
    """The classes and probabilities are those of the loaded run."""
    model = nncli.load(run)
    wanted = model.predict(raw).numpy()
    assert [model.classes[i] for i in wanted.argmax(axis=1)] == found["class"].cast(pl.String).to_list()
    assert np.abs(wanted.max(axis=1) - found["probability"].to_numpy()).max() < 1e-6


def test_rows_of_csv_parquet_json_lines_and_standard_input(run: Run, predict: Predict) -> None:
    rows = people(30, seed=2)
    text = csv_of(rows)
    frame = pl.DataFrame(rows).with_columns(pl.col("age").cast(pl.Int64), pl.col("since").str.to_date())
    Path("x.csv").write_text(text)
    frame.select("since", "job", "age").write_parquet("x.parquet")
    lines = [
        json.dumps(row) for row in [*rows[:15], *frame[15:].with_columns(pl.col("since").cast(pl.String)).to_dicts()]
    ]
    Path("x.jsonl").write_text("\n".join(lines))
    every = [predict(run("table"), name) for name in ("x.csv", "x.parquet", "x.jsonl")]
    every += [predict(run("table"), "-", stdin=given) for given in (text.encode(), "\n".join(lines).encode())]
    for place, done in enumerate(every):
        assert done.code == 0, done.err
        found = answers(done.out)
        assert found.columns == ["row", "class", "probability"]
        assert found["row"].to_list() == [i + (2 if place in (0, 3) else 1) for i in range(30)]
        check(found, run("table"), rows)


def test_rows_are_numbered_like_the_lines_in_an_editor(run: Run, predict: Predict) -> None:
    Path("x.csv").write_text('age,job,since,note\n\n30,cook,2015-05-01,"two\nlines"\n40,nurse,2015-05-01,\n')
    assert answers(predict(run("table"), "x.csv").out)["row"].to_list() == [3, 5]
    found = predict(run("table"), "x.csv", "x.csv")
    assert [line.split(",")[:2] for line in found.out.splitlines()[1:]] == [["x.csv", "3"], ["x.csv", "5"]] * 2


def test_a_table_without_a_header_has_the_columns_of_training(run: Run, predict: Predict) -> None:
    rows = people(10, seed=3)
    lines = [",".join([row["age"], row["job"], row["since"]]) for row in rows]
    Path("plain.csv").write_text("\n".join(lines))
    Path("named.csv").write_text("\n".join(["age,job,since", *lines]))
    for name in ("plain.csv", "named.csv"):
        done = predict(run("nameless"), name)
        assert done.code == 0, done.err
        check(answers(done.out), run("nameless"), rows)
    assert "plain.csv has no column 'age'" in predict(run("table"), "plain.csv").err


def test_numbers_in_columns_in_arrays_and_in_order(run: Run, predict: Predict) -> None:
    x = np.random.default_rng(0).uniform(0.1, 7, (20, 4)).round(2)
    names = nncli.load(run("numbers")).task.facts["columns"]
    pl.DataFrame(x[:, ::-1], schema=names[::-1]).write_csv("x.csv")
    np.savez("x.npz", x=x, y=x)
    np.savez_compressed("y.npz", values=np.asfortranarray(x))
    np.save("x.npy", x)
    for name in ("x.csv", "x.npz", "y.npz", "x.npy"):
        done = predict(run("numbers"), name)
        assert done.code == 0, done.err
        check(answers(done.out), run("numbers"), x)
    one = predict(run("numbers"), "-", stdin=Path("x.npy").read_bytes())
    assert one.out == predict(run("numbers"), "x.npy").out


def test_pictures_in_files_folders_zips_arrays_and_standard_input(run: Run, predict: Predict) -> None:
    files = {f"in/{i}.jpg": noise(i, 30) for i in (2, 1, 10)}
    lay(Path("shots"), files | {"notes.txt": b"no picture", ".hidden.png": b""})
    pack(Path("shots.zip"), files)
    names = ["in/1.jpg", "in/2.jpg", "in/10.jpg"]
    raw = [files[name] for name in names]
    for given, prefix in (("shots", "shots/"), ("shots.zip", "shots.zip/")):
        found = answers(predict(run("image"), given).out)
        assert found["file"].to_list() == [prefix + name for name in names]
        check(found, run("image"), raw)
    found = answers(predict(run("image"), "shots/in/10.jpg", "shots/in/1.jpg").out)
    assert found["file"].to_list() == ["shots/in/10.jpg", "shots/in/1.jpg"]
    found = answers(predict(run("image"), "-", stdin=raw[0]).out)
    assert found["file"].to_list() == ["-"]
    check(found, run("image"), raw[:1])
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(data))) for data in raw])
    np.savez("x.npz", x=pixels)
    np.save("x.npy", pixels.transpose(0, 3, 1, 2))
    for name in ("x.npz", "x.npy"):
        check(answers(predict(run("image"), name).out), run("image"), list(pixels))
    mixed = predict(run("image"), "x.npz", "shots/in/1.jpg").out.splitlines()
    assert [line.split(",")[:2] for line in mixed[3:]] == [["x.npz", "3"], ["shots/in/1.jpg", ""]]


def test_many_pictures_are_decoded_by_several_processes_in_order(
    run: Run, predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{i:03}.png": noise(i, 14, "PNG") for i in range(50)}
    lay(Path("shots"), files | {"017.png": b"broken"})
    alone = predict(run("image"), "shots", "--rejected", "bad.csv")
    assert alone.code == 0
    assert Path("bad.csv").read_text().splitlines()[1:] == ['shots/017.png,"it is not a picture, or a broken one"']
    monkeypatch.setattr(decode_pool, "BATCH", 4)
    monkeypatch.setattr(decode_pool, "cores", lambda: 3)
    several = predict(run("image"), "shots")
    good = [name for name in files if name != "017.png"]
    for done in (alone, several):
        assert answers(done.out)["file"].to_list() == [f"shots/{name}" for name in good]
        check(answers(done.out), run("image"), [files[name] for name in good])


def test_digits_of_scikit_learn_and_pictures_of_digits(run: Run, predict: Predict) -> None:
    from sklearn.datasets import load_digits

    digits: np.ndarray = load_digits(return_X_y=True)[0][:6].reshape(-1, 8, 8)
    np.save("x.npy", digits)
    check(answers(predict(run("digits"), "x.npy").out), run("digits"), digits)
    Image.fromarray((digits[0] * 255 / 16).round().astype(np.uint8)).save("0.png")
    assert answers(predict(run("digits"), "0.png").out)["class"].len() == 1


def test_texts_in_lines_files_columns_and_words(run: Run, predict: Predict) -> None:
    texts = ["a good day", "bad day 7", "day, all day"]
    Path("x.txt").write_text("\n\n".join(texts))
    lay(Path("more"), {f"{name}.txt": text.encode() for name, text in zip(("1", "2", "in/3"), texts, strict=True)})
    pl.DataFrame({"n": [1, 2, 3], "said": texts}).write_csv("x.csv")
    pl.DataFrame({"n": [1, 2, 3], "text": texts}).write_parquet("x.parquet")
    pl.DataFrame({"n": [1, 2, 3], "other": texts}).write_csv("other.csv")
    Path("x.jsonl").write_text("\n".join([*map(json.dumps, texts[:2]), json.dumps({"said": texts[2]})]))
    for given in ("x.txt", "more", "x.csv", "x.parquet", "other.csv", "x.jsonl"):
        done = predict(run("text"), given)
        assert done.code == 0, done.err
        check(answers(done.out), run("text"), texts)
    assert answers(predict(run("text"), "x.txt").out)["row"].to_list() == [1, 3, 5]
    assert answers(predict(run("text"), "more").out)["file"].to_list() == ["more/1.txt", "more/2.txt", "more/in/3.txt"]
    check(answers(predict(run("text"), "-", stdin="\n".join(texts).encode()).out), run("text"), texts)
    check(answers(predict(run("text"), *texts).out), run("text"), texts)


def test_a_series_is_forecast_from_its_last_steps(run: Run, predict: Predict) -> None:
    steps = np.random.default_rng(1).normal(size=(9, 2)).round(3)
    frame = pl.DataFrame({"south": steps[:, 1], "when": range(9), "north": steps[:, 0]})
    frame.write_csv("x.csv")
    frame.write_parquet("y.parquet")
    np.save("x.npy", steps)
    wanted = nncli.load(run("series")).predict(steps).numpy()
    found = answers(predict(run("series"), "x.csv", "y.parquet").out)
    assert found.columns == ["file", "step", "north", "south"]
    assert found["file"].to_list() == ["x.csv"] * 3 + ["y.parquet"] * 3
    assert found["step"].to_list() == [1, 2, 3] * 2
    assert np.allclose(found.select("north", "south").to_numpy(), [*wanted, *wanted], atol=1e-5)
    alone = answers(predict(run("series"), "x.npy").out)
    assert np.allclose(alone.select("north", "south").to_numpy(), wanted, atol=1e-5)
    check_last = frame.with_columns(north=pl.when(pl.col("when") == 0).then(None).otherwise("north"))
    check_last.write_csv("gap.csv")
    assert predict(run("series"), "gap.csv").code == 0, "a gap before the last steps does not matter"
    frame.with_columns(north=pl.when(pl.col("when") == 7).then(None).otherwise("north")).write_csv("gap.csv")
    done = predict(run("series"), "gap.csv")
    assert (done.code, "gap.csv: row 9: column 'north' is empty" in done.err) == (1, True), done.err
    frame[:4].write_csv("short.csv")
    assert "it has 4 rows, and a forecast is made from the last 6" in predict(run("series"), "short.csv").err


def test_a_forecast_has_the_times_of_its_steps(run: Run, predict: Predict) -> None:
    steps = np.random.default_rng(2).normal(size=(9, 2)).round(3)
    when = [f"2024-03-05 {hour:02}:00" for hour in range(15, 24)]
    frame = pl.DataFrame({"time": when, "north": steps[:, 0], "south": steps[:, 1]})
    frame.write_csv("x.csv")
    np.save("x.npy", steps)
    found = answers(predict(run("series"), "x.csv", "x.npy").out)
    assert found["time"].to_list() == ["2024-03-06 00:00", "2024-03-06 01:00", "2024-03-06 02:00", *[None] * 3]
    frame.reverse().write_csv("newest_first.csv")
    done = predict(run("series"), "newest_first.csv")
    assert (done.code, "2024-03-05 19:00 does not come after 2024-03-05 20:00" in done.err) == (1, True), done.err
    with pytest.raises(NnError, match="does not come after"):
        nncli.load(run("series")).predict("newest_first.csv")
    frame.with_columns(time=pl.lit("soon")).write_csv("odd.csv")
    assert answers(predict(run("series"), "odd.csv").out)["time"].to_list() == [None] * 3
    zoned = frame.with_columns(pl.col("time").str.to_datetime("%Y-%m-%d %H:%M", time_zone="UTC"))
    zoned.write_parquet("zoned.parquet")
    assert answers(predict(run("series"), "zoned.parquet").out)["time"].to_list()[0] == "2024-03-06 00:00:00"
    assert "are not rows" in predict(run("series"), "x.csv", "--keep", "north").err


def test_the_last_steps_may_lie_in_two_pieces(run: Run, predict: Predict, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = np.random.default_rng(3).normal(size=(20, 2)).round(3).tolist()
    hours = [f"2024-03-05 {hour:02}:00" for hour in range(20)]
    lines = [{"time": when, "north": a, "south": b} for when, (a, b) in zip(hours, steps, strict=True)]
    Path("x.jsonl").write_text("\n".join(map(json.dumps, lines)))
    whole = predict(run("series"), "x.jsonl").out
    monkeypatch.setattr("nncli.predict.rows.STRETCH", 4)
    assert predict(run("series"), "x.jsonl").out == whole
    assert "2024-03-05 22:00" in whole


def test_zips_and_folders_without_pictures_are_named(run: Run, predict: Predict) -> None:
    Path("empty").mkdir()
    with zipfile.ZipFile("x.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    for given in ("empty", "x.zip"):
        done = predict(run("image"), given)
        assert (done.code, done.err.startswith(f"{given} holds no pictures")) == (1, True), done.err
