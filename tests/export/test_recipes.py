"""Every recipe's net leaves the lab: what docs/reference/exports.md says is what is seen here."""

from pathlib import Path

import pytest

from nncli.config.recipes import all_recipes
from nncli.export.export import export
from tests.export.shorts import short_run

FORMATS = ("onnx", "torchscript", "pt2")


@pytest.mark.parametrize("recipe", [recipe.name for recipe in all_recipes()])
def test_a_recipe_is_exported_and_answers_like_its_run(recipe: str, tmp_path: Path) -> None:
    run = short_run(recipe, tmp_path)
    for name in FORMATS:
        report = export(run.path, name, which="last", fast=True, timed=False)
        assert report["largest_difference"] <= 1e-4 * max(1.0, report["largest_difference"])
        assert report["batches"] == [1, 3, 64]
        assert "part" in report["samples"]
        assert not [note for note in report["notes"] if "older" in note]
