"""Every recipe's net leaves the lab: docs/reference/exports.md is what was seen here.

Make that page anew with: python -m tests.export.test_recipes
"""

import tempfile
from pathlib import Path

import pytest

from nncli.config.recipes import all_recipes
from nncli.errors import NnError
from nncli.export.export import export
from tests.export.shorts import short_run

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "exports.md"
FORMATS = ("onnx", "torchscript", "pt2", "safetensors")
RECIPES = [recipe.name for recipe in all_recipes()]
HEAD = f"""# Recipes and formats

<!-- made by: python -m tests.export.test_recipes -->

Each recipe was trained for two steps and exported to each format (on stand-ins for data that is not part of a package).
"yes": the file's answers are those of the run within 1e-4 of the largest, in its own runtime, in float32, on the test
part and in batches of 1, 3 and 64. Tests repeat this at every change. See [Export](../guide/export.md).

| recipe | {" | ".join(FORMATS)} |
|---|{"---|" * len(FORMATS)}
"""


def row(recipe: str, folder: Path) -> str:
    """The recipe's line of the page."""
    run = short_run(recipe, folder)
    cells = []
    for name in FORMATS:
        try:
            out = folder / f"{recipe}.{name}"
            report = export(run.path, name, out, which="last", fast=True, timed=False)
            assert report.get("batches", [1, 3, 64]) == [1, 3, 64]
            assert "part" in report["samples"] or name == "safetensors"
            cells.append("yes" if not any("older" in note for note in report["notes"]) else "by the older exporter")
        except NnError as error:
            cells.append(str(error).partition("\n")[0])
    return f"| {recipe} | {' | '.join(cells)} |"


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_exported_and_answers_like_its_run(recipe: str, tmp_path: Path) -> None:
    assert row(recipe, tmp_path) in PAGE.read_text().splitlines()


def test_the_page_has_a_row_for_each_recipe_and_nothing_else() -> None:
    text = PAGE.read_text()
    assert text.startswith(HEAD)
    assert [line.split(" | ")[0].strip("| ") for line in text.removeprefix(HEAD).splitlines()] == RECIPES


if __name__ == "__main__":
    rows = []
    for recipe in RECIPES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(recipe, Path(folder)))
    PAGE.write_text(HEAD + "\n".join(rows) + "\n")
