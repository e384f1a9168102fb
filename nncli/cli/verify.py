"""`nn verify`."""

from typing import Annotated

import typer

from nncli.cli.options import Json, Trust, Words

Fast = Annotated[bool, typer.Option("--fast", help="Every recipe whose claim says that it is fast.")]


def verify(words: Words = None, fast: Fast = False, json: Json = False, trust: Trust = None) -> None:
    """Train recipes as their claims say, and tell whether the claims hold: the exit code is 1 where one does not.

    Other words go to each recipe. With --fast, claims that were never measured or want another device are skipped.

    \b
    nn verify recipe=wine_mlp recipe=xor_mlp
    nn verify --fast
    """
    import json as jsons

    from nncli.config.recipes import all_recipes, find
    from nncli.errors import NnError

    names = [word.removeprefix("recipe=") for word in words or () if word.startswith("recipe=")]
    others = [word for word in words or () if not word.startswith("recipe=")]
    if bool(names) == fast:
        raise NnError("say which recipes: nn verify recipe=wine_mlp, or nn verify --fast")
    chosen = [find(name) for name in names] or [recipe for recipe in all_recipes() if recipe.claim.get("fast")]
    from nncli.run.verify import verify as verdicts

    found = []
    width = max((len(recipe.name) for recipe in chosen), default=0)
    for verdict in verdicts(chosen, others, named=not fast, trust=trust or ()):
        found.append(verdict)
        if not json:
            reached = "-" if verdict.reached is None else f"{verdict.reached:.4f}"
            state = {True: "holds", False: "does not hold", None: "skipped"}[verdict.holds]
            times = f"{verdict.seconds:.1f} s"
            print(
                f"{verdict.recipe:<{width}}  {verdict.claim:<22}  {reached:>8}  {times:>8}  {state:<13}  {verdict.note}",
                flush=True,
            )
    if json:
        print(jsons.dumps([vars(verdict) for verdict in found]))
    else:
        seconds, kept = sum(v.seconds for v in found), sum(v.holds is True for v in found)
        print(f"{kept} of {sum(v.holds is not None for v in found)} claims hold · {seconds:.0f} s")
    if any(verdict.holds is False for verdict in found):
        raise typer.Exit(1)
