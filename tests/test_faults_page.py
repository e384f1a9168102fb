"""docs/reference/faults.md names tests that exist, with as many cases as it says."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\|.*\| (tests/\S+)::(\w+)( \(slow\))? \| (\d+) \|$", re.MULTILINE)
ROWS = [m.groups() for m in ROW.finditer((ROOT / "docs" / "reference" / "faults.md").read_text())]


def test_there_are_rows_and_each_line_of_a_table_is_one() -> None:
    lines = [line for line in (ROOT / "docs" / "reference" / "faults.md").read_text().splitlines() if "::" in line]
    assert len(ROWS) == len(lines) > 40


@pytest.mark.parametrize(("file", "name", "slow", "cases"), ROWS, ids=lambda part: str(part))
def test_a_row_names_a_test(file: str, name: str, slow: str, cases: str, request: pytest.FixtureRequest) -> None:
    found = [
        n for n in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(n, ast.FunctionDef) and n.name == name
    ]
    assert len(found) == 1, f"{file} has no {name}"
    marked = any(ast.unparse(mark) == "pytest.mark.slow" for mark in found[0].decorator_list)
    assert marked == bool(slow)
    counted = Counter(item.nodeid.partition("[")[0] for item in request.session.items)
    if f"{file}::{name}" in counted and "::" not in " ".join(
        request.config.args
    ):  # a run of chosen cases counts others
        assert counted[f"{file}::{name}"] == int(cases)
