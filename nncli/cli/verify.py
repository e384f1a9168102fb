"""`nn verify`."""

from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.options import Json, Trust, Words
from nncli.output import as_json, say

if TYPE_CHECKING:
    from nncli.run.verify import Verdict

Fast = Annotated[bool, typer.Option("--fast", help="Verify every recipe whose claim is marked as fast.")]

Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Verify the mean over so many seeds, with its interval.")]


def verify(words: Words = None, fast: Fast = False, seeds: Seeds = 1, json: Json = False, trust: Trust = None) -> None:
    """Train recipes as their claims say, and report whether the claims hold. The exit code is 1 if one does not.

    Other words apply to each recipe. With --fast, claims that were never measured or need another device are skipped.

    \b
    nn verify recipe=wine_mlp recipe=xor_mlp
    nn verify --fast
    """
    from nncli.config.recipes import all_recipes, find
    from nncli.errors import NnError

    names = [word.removeprefix("recipe=") for word in words or () if word.startswith("recipe=")]
    others = [word for word in words or () if not word.startswith("recipe=")]
    if bool(names) == fast:
        raise NnError("name recipes, or verify those marked as fast: nn verify recipe=wine_mlp, or nn verify --fast")
    chosen = [find(name) for name in names] or [recipe for recipe in all_recipes() if recipe.claim.get("fast")]
    from nncli.run.verify import verify as verdicts

    found = []
    width = max((len(recipe.name) for recipe in chosen), default=0)
    for verdict in verdicts(chosen, others, named=not fast, seeds=seeds, trust=trust or ()):
        found.append(verdict)
        if not json:
            say(line(verdict, width))
    if json:
        say(as_json([vars(verdict) for verdict in found]))
    else:
        seconds, kept = sum(v.seconds for v in found), sum(v.holds is True for v in found)
        say(f"{kept} of {sum(v.holds is not None for v in found)} claims hold · {seconds:.0f} s")
    if any(verdict.holds is False for verdict in found):
        raise typer.Exit(1)


def line(verdict: "Verdict", width: int) -> str:
    """One row of the table, as soon as it is known."""
    reached = "-" if verdict.reached is None else f"{verdict.reached:.4f}"
    failed = "not trained" if verdict.reached is None else "does not hold"
    state = {True: "holds", False: failed, None: "skipped"}[verdict.holds]
    columns = (f"{verdict.recipe:<{width}}", f"{verdict.claim:<22}", f"{reached:>8}", f"{verdict.seconds:6.1f} s")
    return "  ".join((*columns, f"{state:<13}", verdict.note))
