"""The generated pages are what their generator makes of the code as it is now."""

import runpy
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "docs" / "reference"


def test_the_reference_says_what_the_code_does(tmp_path: Path) -> None:
    runpy.run_path(str(FOLDER / "generate.py"))["main"](tmp_path)
    made, kept = ({p.name: p.read_bytes() for p in folder.glob("*.md")} for folder in (tmp_path, FOLDER))
    for name in ("faults.md", "problems.md", "exports.md"):  # written by hand, or by the tests of exports
        kept.pop(name)
    assert len(made) == 4
    stale = sorted(name for name in made.keys() | kept.keys() if made.get(name) != kept.get(name))
    assert not stale, f"{', '.join(stale)} in docs/reference: make them anew with: python docs/reference/generate.py"
