"""Every recipe states its claim, composes, is checked and runs. `nn verify --fast` holds the fast ones to theirs."""

import json
from pathlib import Path

import pytest

from nncli.config.compose import compose
from nncli.config.recipes import Recipe, all_recipes
from nncli.run.assemble import problems
from nncli.run.initial_weights import resolve_init_from
from nncli.run.verify import holds
from tests.conftest import Nn

RECIPES = all_recipes()
assert len(RECIPES) >= 6


def wants_files(recipe: Recipe) -> bool:
    """Whether its data is fetched, or given by the person."""
    data = compose([f"recipe={recipe.name}"]).tree.data
    return any(key in data and data[key] is None for key in ("root", "path"))


def wants_run(recipe: Recipe) -> bool:
    """Whether it goes on from an earlier run, which the person names."""
    found = resolve_init_from(compose([f"recipe={recipe.name}"])).problems
    return any(problem.key.endswith(".init_from") for problem in found)


def by_name(recipe: Recipe) -> str:
    return recipe.name


@pytest.mark.parametrize("recipe", RECIPES, ids=by_name)
def test_every_recipe_states_a_claim(recipe: Recipe) -> None:
    assert recipe.title
    assert {"metric", "seed", "device", "precision", "minutes", "measured"} <= recipe.claim.keys()
    assert {"at_least", "at_most"} & recipe.claim.keys()
    assert recipe.claim["measured"] != "unmeasured" or recipe.published, "say what others reached, and where"
    assert not recipe.claim.get("fast") or recipe.claim["device"] == "cpu"


def test_a_claim_holds_where_it_was_measured() -> None:
    for recipe in RECIPES:
        if (measured := recipe.claim["measured"]) != "unmeasured":
            assert holds(recipe.claim, measured), recipe.claim


@pytest.mark.parametrize("recipe", [r for r in RECIPES if not wants_files(r) and not wants_run(r)], ids=by_name)
def test_every_recipe_runs(recipe: Recipe, nn: Nn, tmp_path: Path) -> None:
    done = nn("train", f"recipe={recipe.name}", "trainer.max_steps=2", "run_dir=r", "--quiet")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "r" / "summary.json").read_text())["steps"] == 2


@pytest.mark.parametrize("recipe", [r for r in RECIPES if wants_files(r)], ids=by_name)
def test_a_recipe_whose_data_is_not_here_composes_and_is_checked(recipe: Recipe) -> None:
    assert problems(compose([f"recipe={recipe.name}"])) == []


def test_a_recipe_that_goes_on_from_a_run_says_so_and_does(nn: Nn) -> None:
    recipes = [recipe for recipe in RECIPES if wants_run(recipe)]
    assert recipes
    assert nn("train", "model=resnet", "model.width=4", "trainer.max_steps=1", "run_dir=first").returncode == 0
    for recipe in recipes:
        alone = nn("train", f"recipe={recipe.name}")
        assert (alone.returncode, "name the run: model.init_from=RUN" in alone.stderr) == (1, True), alone.stderr
        done = nn("train", f"recipe={recipe.name}", "model.init_from=first", "trainer.max_steps=2")
        assert done.returncode == 0, done.stderr
