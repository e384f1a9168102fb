"""The times that follow a series."""

import polars as pl
import pytest

from nncli.data.series.times import FORMATS, following
from nncli.errors import DataError


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["2024-02-27", "2024-02-28"], ["2024-02-29", "2024-03-01"]),
        (["2024-01-31 23:15", "2024-01-31 23:30"], ["2024-01-31 23:45", "2024-02-01 00:00"]),
        (["2023-10", "2023-11"], ["2023-12", "2024-01"]),
        (["01.01.2023", "01.04.2023", "01.07.2023"], ["01.10.2023", "01.01.2024"]),
        (["2023-11-30", "2023-12-31", "2024-01-31"], ["2024-02-29", "2024-03-31"]),
        (["2022-03-01", "2023-03-01", "2024-03-01"], ["2025-03-01", "2026-03-01"]),
        (
            ["2024-05-01T10:00:00+0200", "2024-05-01T11:00:00+0200"],
            ["2024-05-01T10:00:00+0000", "2024-05-01T11:00:00+0000"],
        ),
        (["7", "9", "11"], ["13", "15"]),
        (["0.5", "1"], ["1.5", "2"]),
        (["2024-01-04", "2024-01-05", "2024-01-08"], [None, None]),
        (["2024-01-01"], [None, None]),
    ],
)
def test_times_go_on_in_equal_steps_or_are_not_told(written: list[str], expected: list[str | None]) -> None:
    assert following(pl.Series("time", written), None, 2) == expected


@pytest.mark.parametrize("form", FORMATS)
def test_a_time_is_written_as_those_before_it(form: str) -> None:
    days = pl.Series("time", ["2024-03-05", "2024-04-05"]).str.to_datetime("%Y-%m-%d")
    days = days.dt.replace_time_zone("UTC") if form.endswith("%z") else days
    assert following(days.dt.to_string(form), form, 1) == days.dt.offset_by("1mo").dt.to_string(form).to_list()[-1:]


def test_the_format_of_training_decides_between_two_that_fit() -> None:
    written = pl.Series("time", ["01/02/2024", "01/03/2024"])
    assert following(written, "%d/%m/%Y", 12)[-1] == "01/03/2025"
    assert following(written, "%m/%d/%Y", 12)[-1] == "01/15/2024"


def test_a_format_that_does_not_fit_gives_way_to_one_that_does() -> None:
    written = pl.Series("time", ["2024-01-01", "2024-01-02"])
    assert following(written, "%d.%m.%Y", 1) == ["2024-01-03"]
    assert following(pl.Series("time", ["1710730800000", "1710730800001"]), None, 1) == ["1710730800002"]
    assert following(pl.Series("time", ["1", None]), None, 2) == [None, None]


def test_times_that_go_back_are_told() -> None:
    with pytest.raises(DataError, match="2024-01-01 does not come after 2024-01-02; the rows must be"):
        following(pl.Series("time", ["2024-01-02", "2024-01-01"]), None, 1)
