"""Files to predict for: the columns of training in any order, without the target, in any form that is detected."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from nncli.data.encode import encode
from nncli.data.files.csv_file import CsvFile
from nncli.data.tables.table_file import open_rows, rows_of
from nncli.errors import DataError
from tests.data.choices import chosen

ROWS = pl.DataFrame({"age": [i * 7 % 40 for i in range(40)], "job": ["cook", "nurse"] * 20, "rich": ["no", "yes"] * 20})


def known(**words: Any) -> dict[str, Any]:
    """What a run on x.csv knows about its samples."""
    data = chosen("csv", path="x.csv", batch_size=2, target="rich", **words)
    data.setup()
    data.form = chosen("csv", **words | data.inferred()).form
    return {**data.facts, **data.samples()}


@pytest.mark.parametrize(
    ("columns", "separator", "encoding"),
    [
        (["age", "job"], ",", "utf-8"),
        (["job", "age"], ";", "utf-8"),
        (["more", "job", "rich", "age"], "\t", "utf-16"),
        (["job", "age", "more"], "|", "latin-1"),
    ],
)
def test_columns_are_found_by_name_and_the_form_is_detected(columns: list[str], separator: str, encoding: str) -> None:
    ROWS.write_csv("x.csv")
    samples = known()
    text = ROWS.with_columns(more=pl.lit("é")).select(columns).write_csv(separator=separator)
    Path("y.csv").write_text(text, encoding=encoding)
    ROWS.select("job", "age").write_parquet("y.parquet")
    wanted = encode(ROWS.drop("rich"), samples)
    assert np.array_equal(encode("y.csv", samples), wanted)
    assert np.array_equal(encode("y.parquet", samples), wanted)


@pytest.mark.parametrize(
    "words", [{"header": False, "target": "c0"}, {"header": True, "target": "rich", "names": ["rich", "a", "j"]}]
)
def test_columns_without_names_are_taken_in_the_order_of_training(words: dict[str, Any]) -> None:
    ROWS.select("rich", "age", "job").write_csv("x.csv", include_header=words["header"])
    data = chosen("csv", path="x.csv", batch_size=2, **words)
    data.setup()
    samples = {**data.facts, **data.samples()}
    wanted = encode(ROWS.select("age", "job").rows(), samples)
    for columns in (["age", "job"], ["rich", "age", "job"]):
        ROWS.select(columns).write_csv("y.csv", include_header=words["header"])
        assert np.array_equal(encode("y.csv", samples), wanted), columns
    ROWS.select("age").write_csv("y.csv", include_header=words["header"])
    with pytest.raises(DataError, match=r"y\.csv has 1 columns; the file of training had 3"):
        encode("y.csv", samples)


def test_a_file_that_lacks_a_column_or_has_a_bad_row_is_refused_with_its_place() -> None:
    ROWS.write_csv("x.csv")
    samples = known()
    cases = {
        "age,Job\n1,cook\n": r"y\.csv has no column 'job', which the net was trained on \(did you mean 'Job'\?\)",
        "job,age\ncook,1\n\ncook,old\n": r"y\.csv, line 4: column 'age' holds 'old', which is not a number",
        "job,age\ncook,1\ncook\ncook,2\n": r"y\.csv, line 3: this line has 1 fields, the first one 2; fix the line",
    }
    for text, message in cases.items():
        Path("y.csv").write_text(text)
        with pytest.raises(DataError, match=message) as caught:
            encode("y.csv", samples)
        assert "data." not in str(caught.value), "no setting of a training run helps here"
    with pytest.raises(DataError, match=r"^there is no file z\.csv"):
        encode("z.csv", samples)


def test_uneven_lines_are_left_out_and_the_others_have_their_place() -> None:
    ROWS.write_csv("x.csv")
    text = 'job,age\n"co\nok",1\ncook\n\ncook,2\ncook,3,4\ncook,5'
    Path("y.csv").write_text(text)
    file = open_rows(Path("y.csv"), known())
    assert isinstance(file, CsvFile)
    ((low, batch),) = rows_of(file)
    assert (low, batch.columns, batch["age"].to_list()) == (0, ["job", "age"], ["1", "2", "5"])
    assert file.scan.uneven == {
        4: "this line has 1 fields, the first one 2",
        7: "this line has 3 fields, the first one 2",
    }
    assert [file.place(row).rpartition(" ")[2] for row in range(3)] == ["2", "6", "8"]


def test_a_file_of_numbers_becomes_the_rows_of_a_set_that_was_not_a_file() -> None:
    iris, moons = (chosen(name) for name in ("iris", "moons"))
    iris.setup()
    x = iris.parts["train"].span(0, 5)[0]
    frame = pl.DataFrame(x.numpy(), schema=iris.facts["columns"])
    frame.select(reversed(frame.columns)).write_csv("y.csv")
    assert torch.equal(iris.encode("y.csv"), x)
    frame.write_csv("y.csv", include_header=False)
    assert torch.equal(iris.encode("y.csv"), x)
    frame[:, :2].write_csv("y.csv")
    assert torch.equal(moons.encode("y.csv"), x[:, :2])
    with pytest.raises(DataError, match="has no column 'petal length"):
        iris.encode("y.csv")
    Path("y.csv").write_text("a,b\n1,2\n3,\n")
    with pytest.raises(DataError, match=r"y\.csv, line 3: column 'b' is empty"):
        moons.encode("y.csv")
