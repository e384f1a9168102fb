"""Every recipe's net leaves the lab: docs/reference/exports.md is what was seen here.

Make that page anew with: python -m tests.export.test_recipes (with the extra `litert` installed)
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from nncli.config.recipes import all_recipes
from nncli.errors import NnError
from nncli.export.export import export
from nncli.export.formats import named
from tests.export.shorts import short_run

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "exports.md"
FORMATS = ("onnx", "torchscript", "pt2", "safetensors")
SLOW = ("openvino", "litert")
RECIPES = [recipe.name for recipe in all_recipes()]
HEAD = f"""# Recipes and formats

<!-- made by: python -m tests.export.test_recipes -->

Each recipe was trained for two steps and exported to each format (on stand-ins for data that is not part of a package).
"yes": the file's answers are those of the run within 1e-4 of the largest, in its own runtime, in float32, on the test
part and in batches of 1, 3 and 64, or of 1 where the format has one size of batch. Tests repeat this at every change,
for {" and ".join(SLOW)} before a release. See [Export](../guide/export.md).

| recipe | {" | ".join(FORMATS + SLOW)} |
|---|{"---|" * len(FORMATS + SLOW)}
"""


def seen(recipe: str, folder: Path, formats: Sequence[str]) -> list[str]:
    """What the page says of the recipe in these formats."""
    run = short_run(recipe, folder)
    cells = []
    for name in formats:
        try:
            out = folder / f"{recipe}{named(name).SUFFIX}"
            report = export(run.path, name, out, which="last", fast=True, timed=False)
            sizes = [1] if name == "litert" else [1, 3, 64]
            assert report.get("batches", sizes) == sizes
            assert "part" in report["samples"] or name == "safetensors"
            cells.append("yes" if not any("older" in note for note in report["notes"]) else "by the older exporter")
        except NnError as error:
            cells.append(str(error).partition("\n")[0])
    return cells


def said(recipe: str) -> list[str]:
    """What the page says of the recipe."""
    (line,) = (line for line in PAGE.read_text().splitlines() if line.startswith(f"| {recipe} |"))
    return line.strip("| ").split(" | ")[1:]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_exported_and_answers_like_its_run(recipe: str, tmp_path: Path) -> None:
    assert seen(recipe, tmp_path, FORMATS) == said(recipe)[: len(FORMATS)]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_converted_and_answers_like_its_run(recipe: str, tmp_path: Path) -> None:
    pytest.importorskip("litert_torch")
    assert seen(recipe, tmp_path, SLOW) == said(recipe)[len(FORMATS) :]


def test_the_page_has_a_row_for_each_recipe_and_nothing_else() -> None:
    text = PAGE.read_text()
    assert text.startswith(HEAD)
    assert [line.split(" | ")[0].strip("| ") for line in text.removeprefix(HEAD).splitlines()] == RECIPES


if __name__ == "__main__":
    rows = []
    for recipe in RECIPES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(" | ".join([f"| {recipe}", *seen(recipe, Path(folder), FORMATS + SLOW)]) + " |")
    PAGE.write_text(HEAD + "\n".join(rows) + "\n")
