"""docs/reference/problems.md explains every code of a problem, and each code is reported somewhere."""

import re
from pathlib import Path
from typing import get_args

from nncli.errors import Code

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| `([a-z-]+)` \| \S.* \| \S.* \|$", re.MULTILINE)


def test_the_page_has_a_row_for_every_code_in_their_order() -> None:
    rows = ROW.findall((ROOT / "docs" / "reference" / "problems.md").read_text())
    assert rows == sorted(get_args(Code))
    assert list(get_args(Code)) == rows


def test_every_code_is_in_use() -> None:
    source = "".join(path.read_text() for path in (ROOT / "nncli").rglob("*.py") if path.name != "errors.py")
    assert [code for code in get_args(Code) if f'"{code}"' not in source] == []
