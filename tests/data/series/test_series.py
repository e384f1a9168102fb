"""Series from CSV files: what is found in them, how they are split, and what is said of broken ones."""

import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nncli.config.suits import suits
from nncli.data.series.series import Series
from nncli.errors import DataError
from nncli.run.eval import judged
from nncli.run.fit import fit_words
from tests.data.choices import chosen

SHARED = os.environ.get("NN_SHARED_DATA", "")
DAYS = [f"2020-01-{day:02d}" for day in range(1, 32)] + [f"2020-02-{day:02d}" for day in range(1, 30)]
LINES = [
    "day,a,b,note",
    *(f"{day},{i},{i / 2 - 7},fine" for i, day in enumerate(DAYS)),
]  # 60 days; line i + 2 has a = i


def series(lines: list[str] | str, **changed: Any) -> Series:
    Path("x.csv").write_text(lines if isinstance(lines, str) else "\n".join(lines) + "\n")
    small = {"path": "x.csv", "length": 4, "horizon": 2, "batch_size": 8}
    return chosen("series", **small | changed)


def loaded(lines: list[str] | str = LINES, **changed: Any) -> Series:
    data = series(lines, **changed)
    data.setup()
    return data


def whole(data: Series, part: str) -> tuple[Tensor, Tensor]:
    return data.parts[part].span(0, len(data.parts[part]))


def with_line(number: int, text: str | None) -> list[str]:
    """The lines with one replaced, or left out."""
    return [*LINES[: number - 1], *([] if text is None else [text]), *LINES[number:]]


def test_columns_time_and_shape_are_found() -> None:
    data = loaded()
    assert data.inferred() == {
        "target": ["a", "b"],
        "time": "day",
        "gaps": 0,
        "num_targets": 2,
        "input_shape": [4, 2],
        "num_classes": None,
    }
    assert data.facts["columns"] == ["a", "b"]
    assert suits(data.traits())["task"] == "forecast"


def test_targets_follow_their_inputs_and_parts_follow_one_another() -> None:
    data = loaded(target="a")
    for part, first, last in (("train", 0, 41), ("val", 42, 50), ("test", 51, 59)):
        x, y = whole(data, part)
        assert torch.equal(y[:, 0, 0], x[:, -1, 0] + 1)
        assert torch.equal(y[:, 1, 0], y[:, 0, 0] + 1)
        targets = y[:, :, 0]
        begins = first + 4 if part == "train" else first
        assert (int(targets.min()), int(targets.max())) == (begins, last), f"{part} is judged on its own steps"
    assert int(whole(data, "val")[0].min()) == 38, "its first input reaches back into train"


def test_statistics_come_from_the_training_rows_alone() -> None:
    data = loaded(target="a")
    for rows in data.parts.values():
        assert torch.equal(torch.cat(list(rows.inputs()))[:, 0], torch.arange(42.0))


def test_exogenous_columns_are_looked_at_and_not_forecast() -> None:
    data = loaded(target=["b"], exogenous=["a"])
    x, y = whole(data, "train")
    assert (x.shape[2], y.shape[2]) == (2, 1)
    assert torch.equal(x[0, :, 0], torch.tensor([-7.0, -6.5, -6.0, -5.5]))
    assert torch.equal(x[0, :, 1], torch.arange(4.0))
    assert y[0, 0, 0] == -5


def test_stride_leaves_out_windows() -> None:
    assert [len(rows) for rows in loaded(stride=3).parts.values()] == [13, 3, 3]
    assert [len(rows) for rows in loaded().parts.values()] == [37, 8, 8]


@pytest.mark.parametrize("borders", [[31, 45], [31, 45, 60], ["2020-02-01", "2020-02-15"], ["2020-02", "2020-02-15"]])
def test_borders_are_rows_or_times(borders: list[Any]) -> None:
    targets = {part: whole(loaded(target="a", borders=borders), part)[1] for part in ("train", "val", "test")}
    assert {part: int(y.max()) for part, y in targets.items()} == {"train": 30, "val": 44, "test": 59}


def test_folds_judge_later_and_later_stretches() -> None:
    tests = [whole(loaded(target="a", split={"fold": [i, 3]}), "test")[1] for i in range(3)]
    assert [(int(y.min()), int(y.max())) for y in tests] == [(15, 29), (30, 44), (45, 59)]


@pytest.mark.parametrize(
    ("lines", "changed", "message"),
    [
        (with_line(9, "2020-01-08,,0,fine"), {}, r"x\.csv, line 9: column 'a' is empty"),
        (with_line(9, "2020-01-08,NaN,0,fine"), {}, r"line 9: column 'a' is 'NaN', which is not a finite number"),
        (with_line(9, "2020-01-08,7,seven,fine"), {}, r"line 9: column 'b' is 'seven', which is not a finite number"),
        (with_line(9, "2020-01-08,7,1e999,fine"), {}, r"line 9: column 'b' is '1e999'"),
        (with_line(9, "2020-01-08,7,1e300,fine"), {}, r"line 9: column 'b' is '1e300'"),
        (
            "day;a\n2020-01-01;1,5\n2020-01-02;2,5\n",
            {},
            r"line 2: column 'a' is '1,5', a number that is not written as",
        ),
        ("day,a, a\n2020-01-01,1,5\n", {}, r"columns 1 and 2 .* are both called 'a'; rename one$"),
        (with_line(9, "2020-01-08,7"), {}, r"line 9: this line has 2 fields, the first one 4; fix the line$"),
        (
            with_line(9, "2020-01-08,7,1,fine,more"),
            {},
            r"line 9: this line has 5 fields, the first one 4; fix the",
        ),
        (with_line(9, ""), {}, r"x\.csv, line 9 is blank; fill in or leave out"),
        (with_line(9, ""), {"time": None, "target": ["a"]}, r"x\.csv, line 9 is blank; fill in or leave out"),
        (with_line(9, "soon,7,1,fine"), {}, r"line 9: column 'day' is 'soon', no time like 2020-01-01"),
        (
            with_line(9, "2020-01-06,7,1,fine"),
            {},
            r"line 9: 2020-01-06 does not come after 2020-01-07.*data\.time=null",
        ),
        (with_line(9, "2020-01-07,7,1,fine"), {}, r"line 9: 2020-01-07 does not come after 2020-01-07"),
        (with_line(9, None), {"gaps": 0}, r"data\.gaps is 0, the series has 1, the first before line 9 of x\.csv"),
        (LINES, {"target": "c"}, r"names 'c', which x\.csv has not; its columns are: day, a, b, note"),
        (LINES, {"target": "note"}, r"line 2: column 'note' is 'fine'"),
        (LINES, {"target": "a", "exogenous": ["a"]}, r"column 'a' is named twice"),
        (LINES, {"num_targets": 3}, r"data\.num_targets is 3, but 2 columns are forecast"),
        (LINES, {"horizon": 40}, r"the train part has 42 of the 60 rows.*needs 4 \+ 40; take a smaller data\.length"),
        (LINES, {"horizon": 10}, r"the val part has 9 of the 60 rows of the series, and one window needs 10"),
        (LINES, {"batch_size": 64}, r"data\.batch_size is 64, more than the 37 samples"),
        (LINES, {"borders": [40, 30]}, r"data\.borders is \[40, 30\].*must grow"),
        (LINES, {"borders": [30, 40], "split": {"fold": [0, 3]}}, r"data\.borders and data\.split\.fold both"),
        (LINES, {"borders": [30, 40, 90]}, r"within the 60 rows"),
        (LINES, {"borders": ["May", "June"]}, r"data\.borders: May is no time"),
        (LINES, {"borders": ["2020-02-01", "2020-02-15"], "time": None}, r"no column tells the time"),
        (LINES, {"path": None}, r"data\.path is null; say which file"),
        (LINES, {"path": "y.csv"}, r"data\.path is y\.csv, which cannot be read: No such file"),
        ("", {}, r"x\.csv is empty"),
        ("day,a\n", {}, r"x\.csv has a header and no rows"),
        ("day,a\n2020-01-01,x\n", {}, r"x\.csv has no column of numbers"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(lines: list[str] | str, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        loaded(lines, **changed)


def test_missing_steps_are_counted() -> None:
    assert loaded(with_line(9, None)).inferred()["gaps"] == 1


@pytest.mark.parametrize(
    "lines",
    [
        [line.replace(",", ";") for line in LINES],
        [*LINES, "", ""],
        ["\ufeff" + LINES[0], *LINES[1:]],
        "\r\n".join(LINES),
        [line.removesuffix(",fine") for line in LINES[1:]],
    ],
    ids=["semicolons", "blank lines at the end", "byte order mark", "carriage returns", "no names"],
)
def test_forms_of_csv_that_mean_the_same(lines: list[str] | str) -> None:
    x, _ = whole(loaded(lines), "train")
    assert torch.equal(x, whole(loaded(), "train")[0])


@pytest.mark.parametrize(
    "write",
    [
        "1/{0}/2020",
        "{0}.1.2020",
        "2020-01-01 {0:02d}:00",
        "2020-01-01T{0:02d}:00:00Z",
        "2020-01-01 {0:02d}:00:00+0100",
        "202001{0:02d}",
        "{0}",
    ],
)
def test_ways_to_write_time_are_found(write: str) -> None:
    """A month's days or a day's hours, in order; 1/13/2020 can only begin with the month, 1/2/2020 must be told."""
    data = loaded(["when,v", *(f"{write.format(i)},{i}" for i in range(1, 24))], batch_size=1, horizon=1)
    assert (data.inferred()["time"], data.inferred()["gaps"], data.inferred()["target"]) == ("when", 0, ["v"])


def test_another_file_must_have_the_columns_that_were_learned() -> None:
    data = series(LINES)
    data.facts = {"columns": ["b"]}
    data.setup()
    assert data.inferred()["target"] == ["b"]


def test_a_sample_is_found_again_in_the_file() -> None:
    data = loaded()
    assert data.where("train", 3) == "x.csv, lines 5 to 10"
    x, _ = data.parts["train"].span(3, 4)
    assert x[0, 0, 0] == 3, "line 5 holds a = 3"


@pytest.mark.skipif(not SHARED, reason="NN_SHARED_DATA is not set")
@pytest.mark.parametrize(
    ("name", "rows", "time", "target", "gaps"),
    [
        ("airline-passengers", 144, "Month", "Passengers", 0),
        ("monthly-sunspots", 2820, "Month", "Sunspots", 0),
        ("daily-min-temperatures", 3650, "Date", "Temp", 2),  # two 29ths of February are missing
    ],
)
def test_well_known_series_read_as_they_are(name: str, rows: int, time: str, target: str, gaps: int) -> None:
    data = loaded(path=f"{SHARED}/series/{name}.csv", length=24, horizon=12, batch_size=32)
    found = data.inferred()
    assert (found["time"], found["target"], found["gaps"]) == (time, [target], gaps)
    assert data.found is not None
    assert len(data.found.values) == rows


def test_a_csv_trains_and_is_judged_with_nothing_else_said(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["week,sales", *(f"{date(2015, 1, 5) + timedelta(weeks=i)},{100 + i % 13}" for i in range(200))]
    Path("x.csv").write_text("\n".join(lines))
    run = fit_words(["data=series", "data.path=x.csv", "trainer.max_epochs=20", "trainer.precision=32"], show="plain")
    told = capsys.readouterr()
    for line in ("data.target = [sales]", "data.time = week", "data.gaps = 0", "model = nlinear", "task = forecast"):
        assert line in told.out + told.err
    found = judged([run])["metrics"]
    assert found["test/mse"] < found["test/naive_mse"] / 2
