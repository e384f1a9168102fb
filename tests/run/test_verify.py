"""Recipes held to their claims."""

from pathlib import Path

import pytest
import torch

from nncli.cli.verify import line
from nncli.config.recipes import Recipe, find
from nncli.errors import NnError
from nncli.run.verify import Verdict, holds, verify

# Lightning 2.6 asks torch for tree leaves in the way that torch 2.13 advises against.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")

CLAIM = "# claim: {metric: test/accuracy, at_least: %s, seed: 0, device: %s, precision: 32, measured: %s, fast: true}"


def recipe(name: str, at_least: float, device: str = "cpu", measured: str = "1.0") -> Recipe:
    """AND by the perceptron, under a claim of one's own."""
    path = Path("recipes") / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    claim = CLAIM % (at_least, device, measured)
    shipped = find("perceptron_and").path.read_text().partition("defaults:")[2]
    path.write_text(f"# AND.\n{claim}\ndefaults:{shipped}")
    return find(name)


def one(of: Recipe, named: bool = True, words: tuple[str, ...] = ()) -> Verdict:
    return next(verify([of], words, named=named))


def test_a_claim_that_holds_and_one_that_does_not() -> None:
    good, bad = verify([recipe("good", 1.0), recipe("bad", 1.1)], named=True)
    assert (good.holds, good.reached, good.claim) == (True, 1.0, "test/accuracy ≥ 1.0")
    assert (bad.holds, bad.reached, bad.claim) == (False, 1.0, "test/accuracy ≥ 1.1")
    assert (Path("runs") / good.note / "summary.json").is_file(), "the run stays, to be looked at"


def test_claims_for_elsewhere_are_skipped_unless_they_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    big, unmeasured = recipe("big", 1.0, device="1 GPU"), recipe("unmeasured", 1.0, measured="unmeasured")
    assert [v.note for v in verify([big, unmeasured], named=False)] == ["needs 1 GPU", "unmeasured"]
    assert [v.holds for v in verify([big, unmeasured], named=False)] == [None, None]
    assert one(unmeasured).holds


def test_a_recipe_that_fails_does_not_keep_the_others_from_their_turn() -> None:
    first, second = verify([recipe("a", 1.0), recipe("b", 1.0)], ["data.batch_size=100"], named=True)
    assert (first.holds, second.holds, first.reached) == (False, False, None)
    assert "batch" in first.note


def test_a_claim_can_be_verified_as_a_mean_over_seeds() -> None:
    found = next(verify([recipe("good", 1.0)], named=True, seeds=2))
    assert (found.holds, found.reached, found.note) == (True, 1.0, "95% interval 1.0000 to 1.0000, 2 seeds")
    assert len(list(Path("runs").glob("*/*/summary.json"))) == 2


def test_what_was_not_trained_is_told_apart_from_what_does_not_hold() -> None:
    bad = one(recipe("bad", 1.1))
    wrong = one(recipe("good", 1.0), words=("model.widht=3",))
    assert "does not hold" in line(bad, 4)
    assert "not trained" in line(wrong, 4)


def test_an_incomplete_claim_says_what_it_lacks() -> None:
    Path("recipes").mkdir()
    Path("recipes/bare.yaml").write_text("# No claim.\n")
    assert one(find("bare")).note == "the claim does not state device, metric, precision, seed"


def test_other_words_reach_the_recipe_and_can_break_its_claim() -> None:
    assert one(recipe("short", 1.0), words=("trainer.max_steps=1",)).holds is False


@pytest.mark.parametrize(("reached", "kept"), [(0.9, True), (0.89, False), (1.01, False), (float("nan"), False)])
def test_bounds_are_inclusive_and_nan_is_outside(reached: float, kept: bool) -> None:
    assert holds({"at_least": 0.9, "at_most": 1.0}, reached) is kept
    assert holds({"at_least": 0.9}, float("nan")) is False


def test_an_unknown_recipe_is_named() -> None:
    with pytest.raises(NnError, match=r"no such recipe: wine_mpl. Did you mean wine_mlp\?"):
        find("wine_mpl")
