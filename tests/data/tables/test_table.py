"""Tables as people have them: kinds found, gaps and odd cells told, rows stored by what training learned."""

import os
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from nncli.config.suits import suits
from nncli.data.tables.cells import texts
from nncli.data.tables.encode import encode
from nncli.data.tables.table import Table
from nncli.errors import DataError
from nncli.run.fit import fit_words
from nncli.transforms import table as transform
from tests.data.choices import chosen

SHARED = Path(os.environ.get("NN_SHARED_DATA", "")) / "tabular"


def table(path: str = "x.csv", choice: str = "csv", **words: Any) -> Table:
    """The table of `data=csv data.path=…` and more words."""
    return chosen(choice, **{"path": path, "batch_size": 2} | words)


def write(frame: pl.DataFrame, name: str = "x.csv") -> pl.DataFrame:
    (frame.write_parquet if name.endswith("parquet") else frame.write_csv)(name)
    return frame


def people(count: int = 60) -> pl.DataFrame:
    """Every kind of column; `rich` follows from age and job."""
    draw = np.random.default_rng(0)
    ages, jobs = draw.integers(18, 80, count), draw.choice(["clerk", "nurse", "farmer"], count)
    return pl.DataFrame(
        {
            "person_id": np.arange(count),
            "age": [None if i % 7 == 0 else int(age) for i, age in enumerate(ages)],
            "job": [None if i % 11 == 0 else str(job) for i, job in enumerate(jobs)],
            "name": [f"somebody {i}" for i in range(count)],
            "born": [f"{1950 + i}-03-0{1 + i % 9}" for i in range(count)],
            "seen": [f"2024-05-01 0{i % 10}:30:00" for i in range(count)],
            "planet": ["earth"] * count,
            "note": [""] * count,
            "rich": np.where((ages > 40) & (jobs != "farmer"), "yes", "no"),
        }
    )


def rows_of(data: Table) -> torch.Tensor:
    """All stored rows in the order of the file."""
    x = torch.empty(sum(len(rows) for rows in data.rows.values()), len(data.facts["columns"]))
    for name, rows in data.rows.items():
        x[rows] = data.parts[name].span(0, len(rows))[0]
    return x


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_kinds_are_found_and_what_names_nothing_is_left_out(name: str) -> None:
    write(people(), name)
    data = table(name, target="rich")
    data.setup()
    found = data.inferred()
    assert found["columns"] == {
        "person_id": "identifier",
        "name": "identifier",
        "planet": "constant",
        "note": "empty",
        "age": "number",
        "job": "category",
        "born": "date",
        "seen": "datetime",
    }
    assert list(found["columns"])[:4] == ["person_id", "name", "planet", "note"]  # what was left out is told first
    assert found["sizes"] == [2, 4, *[1] * 4, *[1] * 5]
    assert found["input_shape"] == [15]
    assert found["num_classes"] == 2
    assert data.facts["classes"] == ["no", "yes"]
    assert data.facts["columns"][2:5] == ["born.year", "born.month", "born.day"]
    assert suits(data.traits())["task"] == "classification"


def test_what_is_stored_is_what_the_rows_say() -> None:
    frame = write(people())
    data = table(target="rich")
    data.setup()
    x, jobs = rows_of(data), data.facts["categories"]["job"]
    at = {name: place for place, name in enumerate(data.facts["columns"])}
    for row, cells in enumerate(frame.rows(named=True)):
        age = x[row, at["age"]].item()
        assert (age == cells["age"]) if cells["age"] is not None else np.isnan(age)
        assert x[row, at["job"]] == (jobs.index(cells["job"]) + 1 if cells["job"] else 0)
        assert x[row, at["born.year"]] == int(cells["born"][:4])
        assert x[row, at["seen.seconds"]] == int(cells["seen"][12]) * 3600 + 1800
    assert x[0, at["seen.weekday"]] == 3  # the first of May 2024 was a Wednesday
    y = torch.cat([part.span(0, len(part))[1] for part in data.parts.values()])
    assert y.tolist() == [int(frame["rich"][int(row)] == "yes") for row in torch.cat(list(data.rows.values()))]


@pytest.mark.parametrize("form", ["frame", "dicts", "text"])
def test_raw_rows_are_encoded_as_training_saw_them(form: str) -> None:
    frame = write(people()).drop("rich")
    data = table(target="rich")
    data.setup()
    rows = {"frame": frame, "dicts": frame.to_dicts(), "text": frame.cast(pl.String)}[form]
    assert np.array_equal(encode(rows, data.facts), rows_of(data).numpy(), equal_nan=True)


def test_raw_rows_that_lack_a_column_or_hold_nonsense_are_refused() -> None:
    write(people())
    data = table(target="rich")
    data.setup()
    row: dict[str, Any] = {"age": 30, "job": "pilot", "born": "1990-01-01", "seen": None}
    assert encode([row], data.facts)[0, 1] == 0  # a job that training never saw
    with pytest.raises(DataError, match=r"column 'age' is missing; the net was trained on age, job, born, seen"):
        encode([{"job": "nurse"}], data.facts)
    with pytest.raises(DataError, match="row 2: column 'age' holds 'old', which is not a number"):
        encode([row, row | {"age": "old"}], data.facts)
    with pytest.raises(DataError, match=r"row 1: column 'born' holds 'May', which is not a date such as 2024-01-31"):
        encode([row | {"born": "May"}], data.facts)


def test_given_facts_are_used_instead_of_learned() -> None:
    write(people())
    first = table(target="rich")
    first.setup()
    write(people(40).with_columns(pl.lit("pilot").alias("job"), pl.col("rich").replace("no", "yes")))
    again = table(target="rich")
    again.facts = dict(first.facts)
    again.setup()
    assert again.facts == first.facts
    assert (rows_of(again)[:, 1] == 0).all()
    assert torch.cat([part.span(0, 99)[1] for part in again.parts.values()]).unique().tolist() == [1]


def test_vocabularies_come_from_the_training_part_only() -> None:
    write(pl.DataFrame({"x": ["a", "b"] * 20 + ["late"] * 10, "y": [0.5 + i for i in range(50)]}))
    data = table(target="y", split={"method": "ordered", "test": 0.2})
    data.setup()
    assert set(data.facts["categories"]["x"]) == {"a", "b"}
    assert set(data.parts["test"].span(0, 10)[0].flatten().tolist()) == {0}
    assert suits(data.traits())["model.num_outputs"] == 1


def test_only_the_most_frequent_values_are_told_apart() -> None:
    values = [name for i, name in enumerate("abcdef") for _ in range(60 - 10 * i)]
    write(
        pl.DataFrame(
            {"x": values, "z": [0.5 * i for i in range(len(values))], "y": [i % 2 for i in range(len(values))]}
        )
    )
    data = table(target="y", max_categories=3)
    data.setup()
    assert data.facts["categories"]["x"] == ["a", "b", "c"]
    assert data.facts["sizes"] == [4, 1]


def test_kinds_can_be_stated_for_some_columns_by_name_or_number() -> None:
    write(people().with_columns(pl.Series("zip.code", [1000 + i % 5 for i in range(60)])))
    data = table(target="rich", columns={"zip.code": "category", "1": "skip"})
    data.setup()
    assert data.inferred()["columns"]["9"] == "category"  # a config has no keys with dots
    assert data.inferred()["columns"]["age"] == "skip"
    assert data.facts["categories"]["zip.code"][0] == "1000"
    assert "age" not in data.facts["columns"]


@pytest.mark.parametrize(
    ("y", "words", "classes"),
    [
        (["a", "b"] * 10, {}, ["a", "b"]),
        ([True, False] * 10, {}, ["false", "true"]),
        ([3, 10] * 10, {}, ["3", "10"]),
        ([3.0, 10.0] * 10, {}, ["3", "10"]),
        ([0.5, 1.5] * 10, {}, None),
        (list(range(20)), {}, None),
        ([0, 1] * 10, {"num_classes": None}, None),
    ],
)
def test_a_target_is_classes_or_a_measure(y: list[Any], words: dict[str, Any], classes: list[str] | None) -> None:
    write(pl.DataFrame({"x": [i * 0.5 for i in range(20)], "y": y}))
    data = table(target="y", **words)
    data.setup()
    assert data.facts.get("classes") == classes
    assert data.parts["train"].span(0, 1)[1].dtype == (torch.float32 if classes is None else torch.int64)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("x,y\n1,a\n2,b\n", {}, r"data\.target is null; name a column of x\.csv: it has x, y"),
    ("x,label\n1,a\n2,b\n", {"target": "lable"}, r"no column 'lable'; did you mean data\.target=label\?"),
    ("x,y\n1,a\n2,b\n3,\n", {"target": "y"}, r"x\.csv, line 4: the target 'y' is missing"),
    ("x,y\n1,a\n2,a\n", {"target": "y"}, r"'y' has only one class, 'a'"),
    ("x,y\n1,2.5\n2,2.5\n", {"target": "y", "num_classes": None}, "'y' is 2.5 in every row"),
    ("x,y\n1,2.5\n2,inf\n", {"target": "y"}, r"line 3: the target 'y' is 'inf', no number"),
    ("x,y\n1,2.5\n2,b\n", {"target": "y", "num_classes": None}, r"line 3: the target 'y' is 'b', no number"),
    ("x,y\n5,1\n5,2\n5,3\n", {"target": "y"}, r"no column to learn 'y' from: x is constant"),
    ("x,y\n,1\n,2\n,3\n", {"target": "y"}, r"no column to learn 'y' from: x is empty"),
    ("y\n1\n2\n", {"target": "y"}, "no column to learn 'y' from: there is no other column"),
    ("x,y\n1,0\n1e39,1\n2,1\n", {"target": "y"}, r"line 3: column 'x' holds '1e39', which is not a number that can"),
    ("x,y\n1,0\n-inf,1\n2,1\n", {"target": "y"}, r"line 3: column 'x' holds '-inf'"),
    ("x,y\n1,0\nold,1\n2,1\n", {"target": "y", "columns": {"x": "number"}}, r"line 3: column 'x' holds 'old'"),
    ("x,y\n1,0\n2,1\n", {"target": "y", "columns": {"z": "number"}}, r"data\.columns: x\.csv has no column 'z'"),
    ("x,y\n1,0\n2,1\n3,1\n4,0\n", {"target": "y", "sizes": [2]}, r"data\.sizes is \[2\], the data has \[1\]"),
    ("x,y\n1,0\n2,1\n3,1\n4,0\n", {"target": "y", "input_shape": [9]}, r"data\.input_shape is \[9\].* make 1 values"),
    (
        "x,z,y\n1,4,0\n2,7,1\n",
        {"target": "y", "split": {"group": "x"}},
        r"data\.split\.group is set.*set data\.split\.method=grouped",
    ),
    ("x,y\n1,0\n2,1\n", {"target": "y", "time": "x"}, r"data\.time is x.*say data\.split\.method=ordered"),
    ("x,y\n1,0\n2,1\n", {"target": "y", "path": "y.csv"}, r"data\.path: there is no file y\.csv; did you mean x\.csv"),
    ("x,y\n1,0\n2,1\n", {"target": "y", "path": None}, r"data\.path=FILE"),
    ("x,y\n1,0\n2,1\n", {"target": "y", "path": "."}, r"data\.path: \. is a folder; name the file in it"),
    ("PK\x03\x04", {"target": "y"}, r"x\.csv is a zip or an Excel file; unpack it, or save it as CSV"),
]


@pytest.mark.parametrize(("text", "words", "message"), WRONG)
def test_what_is_wrong_is_named(text: str, words: dict[str, Any], message: str) -> None:
    Path("x.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        table(**({"path": "x.csv"} | words)).setup()


def test_whole_numbers_are_spelled_alike_in_every_stretch_of_a_float_column() -> None:
    assert texts(pl.Series([1.0, 2.5, None]), [""]).to_list() == ["1", "2.5", None]
    assert texts(pl.Series([1.0, 2.0]), [""]).to_list() == ["1", "2"]


def test_a_file_to_judge_on_may_lack_what_was_left_out() -> None:
    rows = [f"{i % 7},{i},{'yes' if i % 7 > 3 else 'no'}" for i in range(60)]
    Path("x.csv").write_text("\n".join(["a,id,y", *rows]))
    first = table(path="x.csv", target="y")
    first.setup()
    assert first.inferred()["columns"]["id"] == "identifier"
    Path("z.csv").write_text("\n".join(["a,y", *(f"{i % 7},{'yes' if i % 7 > 3 else 'no'}" for i in range(60))]))
    again = table(path="z.csv", target="y", columns=first.inferred()["columns"])
    again.facts = first.facts
    again.setup()
    assert len(again.parts) == 3
    Path("z.csv").write_text("id,y\n1,yes\n2,no\n")
    again.parts = {}
    with pytest.raises(DataError, match=r"z\.csv has no column 'a', which the training file has"):
        again.setup()


def test_one_text_among_numbers_is_no_category() -> None:
    lines = ["age,y", *(f"{age},{age % 2}" for age in range(40)), "thirty,1", *(f"{age},0" for age in range(40))]
    Path("x.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"x\.csv, line 42: column 'age' holds 'thirty' where 80 of 81") as caught:
        table(target="y").setup()
    assert "data.missing" in str(caught.value)
    assert "data.columns={age:category}" in str(caught.value)
    data = table(target="y", missing=["thirty"])
    data.setup()
    assert data.facts["kinds"] == {"age": "number"}


@pytest.mark.parametrize("cell", ["{},5", "1,{:03}", "{}%", "$ {}.25", "-{} €"])
def test_numbers_written_otherwise_are_refused_and_not_left_out(cell: str) -> None:
    Path("x.csv").write_text("\n".join(["a;b;y", *(f"{cell.format(i)};{i};{i % 2}" for i in range(1, 60))]))
    with pytest.raises(DataError, match=r"x\.csv, line 2: column 'a' holds .*a number that is not written as 1234\.5"):
        table(target="y").setup()
    data = table(target="y", columns={"a": "skip"})
    data.setup()
    assert data.facts["kinds"] == {"b": "number"}


@pytest.mark.parametrize("cell", ["1.{}.3", "{}/12/2020", "A{}", "{}:30"])
def test_versions_days_and_codes_are_no_numbers_written_otherwise(cell: str) -> None:
    Path("x.csv").write_text("\n".join(["a;b;y", *(f"{cell.format(i)};{i};{i % 2}" for i in range(1, 60))]))
    data = table(target="y")
    data.setup()
    assert data.facts["kinds"].get("a") != "number"


def test_names_may_be_anything() -> None:
    names = ["${seed}", "a.b", 'quo"te', "two\nlines", "größe", "^.*$", "'", "a: b # c"]
    write(pl.DataFrame({name: [i * (1 + place) + 0.5 for i in range(12)] for place, name in enumerate(names)}))
    data = table(target="${seed}")
    data.setup()
    assert data.facts["columns"] == names[1:]
    assert rows_of(data)[3].tolist() == [3 * (2 + place) + 0.5 for place in range(7)]


@pytest.mark.parametrize(("y", "metric", "least"), [("label", "val/accuracy", 0.9), ("size", "val/r2", 0.9)])
def test_a_file_of_ones_own_needs_no_yaml(y: str, metric: str, least: float) -> None:
    x = np.random.default_rng(0).normal(size=(300, 2)).round(3)
    odd = {'quo"te: #': x[:, 1], "two\nlines": ["a", "b", ""] * 100, "a.b": [None, 1, 2] * 100, "${seed}": [1] * 300}
    label, size = np.where(x[:, 0] > x[:, 1], "up", "down"), (3 * x[:, 0] - x[:, 1] + 5).round(3)
    write(pl.DataFrame({"é": x[:, 0], **odd, "label": label, "size": size}).drop({"label": "size", "size": "label"}[y]))
    words = ["data=csv", "data.path=x.csv", f"data.target={y}", "trainer.accelerator=cpu", "test=false"]
    run = fit_words([*words, "trainer.max_epochs=20"], show="quiet")
    again = fit_words([f"recipe={run.config}"], show="quiet")
    first, second = (one.read(one.summary) for one in (run, again))
    assert first["metrics"][metric] > least
    assert "'4': constant" in run.config.read_text()  # by its number, since no config can hold ${
    assert first["metrics"] == second["metrics"]


def test_a_test_file_is_held_to_the_training_file() -> None:
    Path("x.csv").write_text("\n".join(f"{2 * i}, {'ab'[i % 2]}, {'>' if i % 3 else '<='}50K" for i in range(30)))
    Path("t.csv").write_text("\n".join(f"{i}, c, {'>' if i % 3 else '<='}50K." for i in range(6)) + "\n\n")
    data = table(test_path="t.csv", target=2)
    data.setup()
    x, y = data.parts["test"].span(0, 6)
    assert y.tolist() == [data.facts["classes"].index(">50K" if i % 3 else "<=50K") for i in range(6)]
    assert x[:, 1].tolist() == [0] * 6
    assert {name: len(part) for name, part in data.parts.items()} == {"train": 26, "val": 4, "test": 6}
    Path("t.csv").write_text("0, c, >50K.\n1, c, rich\n")
    with pytest.raises(DataError, match=r"t\.csv, line 2: the target 'c2' is 'rich', which is none of the classes"):
        table(test_path="t.csv", target=2).setup()
    Path("t.csv").write_text("0,c\n")
    with pytest.raises(DataError, match=r"t\.csv has no column 'c2'"):
        table(test_path="t.csv", target=2).setup()


def test_groups_stay_together_and_are_no_input() -> None:
    write(people().with_columns(pl.Series("ward", [f"w{i % 12}" for i in range(60)])))
    data = table(target="rich", split={"method": "grouped", "group": "ward"})
    data.setup()
    wards = [{int(row) % 12 for row in rows} for rows in data.rows.values()]
    assert all(not one & other for one, other in combinations(wards, 2))
    assert "ward" not in data.facts["columns"]


def test_time_orders_the_rows_that_are_held_out() -> None:
    days = np.random.default_rng(0).permutation(40)
    write(pl.DataFrame({"day": [f"2024-{1 + d // 20:02}-{1 + d % 20:02}" for d in days], "y": days * 0.5}))
    data = table(target="y", split={"method": "ordered"}, time="day")
    data.setup()
    train, val, test = (part.span(0, 99)[1] for part in data.parts.values())
    assert train.max() < val.min() <= val.max() < test.min()


def test_folds_cover_every_row_once() -> None:
    write(people())
    held = []
    for i in range(3):
        data = table(target="rich", split={"fold": [i, 3]})
        data.setup()
        held += data.rows["test"].tolist()
    assert sorted(held) == list(range(60))


def test_many_rows_are_read_in_stretches_and_none_is_lost() -> None:
    count = 200_000
    draw = np.random.default_rng(0)
    write(
        pl.DataFrame(
            {
                "n": draw.integers(0, 1000, count),
                "k": draw.integers(0, 9, count).astype(str),
                "y": np.arange(count) * 0.5,
            }
        )
    )
    data = table(target="y", columns={"k": "category"})
    data.setup()
    x, y = data.parts["val"].span(0, 100)
    again = pl.read_csv("x.csv")
    for row in range(0, 100, 9):
        at = int(y[row].item() * 2)
        assert again["n"][at] == x[row, 0]
        assert data.facts["categories"]["k"][int(x[row, 1]) - 1] == str(again["k"][at])
        assert data.where("val", row) == f"x.csv, line {at + 2}"


@pytest.mark.slow
def test_two_million_rows_load_in_bounded_memory() -> None:
    def memory(key: str) -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.split(f"{key}:")[1].split()[0]) * 1024

    count, draw = 2_000_000, np.random.default_rng(0)
    numbers = {f"n{i}": draw.normal(size=count).round(6) for i in range(7)}
    job, city = (draw.choice([f"{name} {i}" for i in range(size)], count) for name, size in (("job", 9), ("city", 300)))
    write(pl.DataFrame({**numbers, "job": job, "city": city, "y": draw.normal(size=count).round(4)}))
    del numbers, job, city
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak that making the file had
    before = memory("VmRSS")
    data = table(target="y")
    data.setup()
    stored = sum(part.nbytes for part in data.parts.values())
    assert memory("VmHWM") - before - stored < 2 * stored + (300 << 20)
    assert sum(len(part) for part in data.parts.values()) == count


@pytest.mark.skipif(not SHARED.is_dir(), reason="NN_SHARED_DATA is not set")
def test_adult_is_read_as_it_is() -> None:
    files = {"root": str(SHARED), "path": "adult-train.csv", "test_path": "adult-test.csv"}
    data, named = table(**files, target=14), table(**files, choice="adult")
    data.setup()
    named.setup()
    found = data.inferred()
    assert {key: found[key] for key in ("header", "separator", "num_classes")} == {
        "header": False,
        "separator": ",",
        "num_classes": 2,
    }
    assert data.facts["classes"] == ["<=50K", ">50K"]
    assert [len(part) for part in data.parts.values()] == [27677, 4884, 16281]
    assert int((data.parts["test"].span(0, 16281)[1] == 1).sum()) == 3846  # as its makers say, 23.62%
    assert "?" not in data.facts["categories"]["c1"]
    assert named.facts["sizes"] == data.facts["sizes"]
    spread = transform.Table(found["sizes"])
    spread.fit(data.parts["train"].inputs)
    seen = torch.cat([spread(x) for x in data.parts["train"].inputs()])
    assert seen.shape[1] == found["input_shape"][0]
    assert seen.isfinite().all()
