"""Verify the claims of recipes: each is trained as its claim says, one after the other in this process."""

import statistics
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nncli.config.compose import compose
from nncli.config.recipes import Recipe
from nncli.errors import ConfigError, NnError
from nncli.run.fit import fit
from nncli.run.screen import Screen
from nncli.run.spread import spread


@dataclass(frozen=True)
class Verdict:
    """A recipe's claim and its result."""

    recipe: str
    claim: str  # "test/accuracy ≥ 0.965"
    reached: float | None
    seconds: float
    holds: bool | None  # None: skipped
    note: str  # why it was skipped or failed, or the run's name


def bound(claim: dict[str, Any]) -> str:
    """The claim in readable form, such as `test/accuracy ≥ 0.965`, or "none"."""
    lines = [f"{sign} {claim[key]}" for key, sign in (("at_least", "≥"), ("at_most", "≤")) if key in claim]
    return f"{claim['metric']} {' '.join(lines)}" if lines and "metric" in claim else "none"


def holds(claim: dict[str, Any], reached: float) -> bool:
    """Whether a claim holds; with NaN it does not, since every comparison with it is false."""
    return claim.get("at_least", reached) <= reached <= claim.get("at_most", reached)


def skipped(claim: dict[str, Any]) -> str:
    """Why a claim is skipped unless it is named: it was never measured, or needs another machine."""
    if claim.get("measured") == "unmeasured":
        return "unmeasured"
    device = str(claim.get("device", "cpu"))
    return "" if device == "cpu" or torch.cuda.is_available() else f"needs {device}"


def words_of(recipe: Recipe, plus: int = 0) -> list[str]:
    """The words that train a recipe as its claim says, or from a seed `plus` a number."""
    claim = recipe.claim
    words = [f"recipe={recipe.name}", f"seed={claim['seed'] + plus}", f"trainer.precision={claim['precision']}"]
    alone = ["trainer.accelerator=cpu", "trainer.devices=1"]
    return words + (alone if str(claim["device"]) == "cpu" else [])


def verify(
    recipes: Sequence[Recipe], words: Sequence[str] = (), *, named: bool, seeds: int = 1, trust: Collection[str] = ()
) -> Iterator[Verdict]:
    """A verdict on each recipe in turn, on its mean over seeds. With `named`, claims are tried on any machine."""
    for recipe in recipes:
        claim = recipe.claim
        if missing := sorted({"metric", "seed", "device", "precision"} - claim.keys()) or bound(claim) == "none":
            lacks = ", ".join(missing) if isinstance(missing, list) else "at_least or at_most"
            yield Verdict(recipe.name, bound(claim), None, 0.0, False, f"the claim does not state {lacks}")
        elif odd := _odd(claim):
            yield Verdict(recipe.name, bound(claim), None, 0.0, False, odd)
        elif not named and (why := skipped(claim)):
            yield Verdict(recipe.name, bound(claim), None, 0.0, None, why)
        else:
            yield _tried(recipe, words, seeds, trust)


def _odd(claim: dict[str, Any]) -> str:
    """Which part of a claim has the wrong type."""
    if not isinstance(claim["metric"], str):
        return "the claim's metric is not a name"
    if type(claim["seed"]) is not int:
        return "the claim's seed is not a whole number"
    kinds = {key: type(claim[key]) for key in ("at_least", "at_most") if key in claim}
    return next((f"the claim's {key} is not a number" for key, kind in kinds.items() if kind not in (int, float)), "")


def _tried(recipe: Recipe, words: Sequence[str], seeds: int, trust: Collection[str]) -> Verdict:
    claim, start = recipe.claim, time.perf_counter()
    reached, good, note, values = None, False, "", list[float]()
    try:
        for plus in range(seeds):
            run = fit(compose([*words_of(recipe, plus), *words], trust=trust), Screen("quiet"))
            assert run is not None
            note, value = run.name, run.read(run.summary).get("metrics", {}).get(claim["metric"])
            if value is None:
                note += f" has no {claim['metric']}"
                break
            values.append(value)
        else:
            reached = statistics.fmean(values)
            good = holds(claim, reached)
            if seeds > 1:
                found = spread(values)
                note = f"95% interval {found.low:.4f} to {found.high:.4f}, {seeds} seeds"
    except ConfigError as error:
        note = f"{error.problems[0].key}: {error.problems[0].text}"
    except NnError as error:
        note = str(error)
    return Verdict(recipe.name, bound(claim), reached, round(time.perf_counter() - start, 1), good, note)
