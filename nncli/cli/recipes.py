"""`nn recipes`: ls, show, cp."""

import os
from typing import Annotated

import typer

from nncli.cli.complete import complete_recipes
from nncli.cli.options import Json, console
from nncli.output import as_json, say

app = typer.Typer(help="List and show the recipes, or copy one to start from.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The name of a recipe.", autocompletion=complete_recipes, show_default=False)]


@app.command()
def ls(json: Json = False) -> None:
    """List the recipes, what each trains and the result it claims.

    \b
    nn recipes ls
    """
    from nncli.config.recipes import all_recipes

    recipes = all_recipes()
    if json:
        say(as_json([{"name": r.name, "path": str(r.path), "title": r.title, "claim": r.claim} for r in recipes]))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for recipe in recipes:
        metric, value = recipe.claim.get("metric", ""), recipe.claim.get("measured", "no claim")
        name = Text(recipe.name, style="bold").append(" (yours)" if recipe.is_own else "", style="")
        table.add_row(name, Text(recipe.title), Text(f"{metric} {value}"))
    console().print(table)


@app.command()
def show(name: Name) -> None:
    """Print the file of a recipe.

    \b
    nn recipes show digits_mlp
    """
    from nncli.config.recipes import find

    say(find(name).content.decode(errors="replace"), end="")


@app.command()
def cp(name: Name, new: Annotated[str, typer.Argument(help="The name of the copy.", show_default=False)] = "") -> None:
    """Copy a recipe to ./recipes, where you can change it.

    \b
    nn recipes cp digits_mlp mine
    """
    from nncli.config.recipes import find
    from nncli.errors import NnError, reason
    from nncli.paths import own, shown
    from nncli.run.files import write_new

    source = find(name)
    target = own("recipes") / f"{new or name}.yaml"
    if not (new or name).isidentifier():
        raise NnError(f"{new} cannot be the name of a recipe: use letters, digits and _ only")
    if os.path.lexists(target.parent) and not target.parent.is_dir():
        raise NnError(f"{shown(target.parent)} is not a folder; move it away, or change to another folder (cd)")
    content = source.content
    try:
        target.parent.mkdir(exist_ok=True)
        write_new(target, content)
    except FileExistsError as error:
        raise NnError(f"{shown(target)} exists already; give the copy a name: nn recipes cp {name} NEW") from error
    except OSError as error:
        raise NnError(f"the copy cannot be written: {reason(error)}") from error
    say(f"wrote {shown(target)}; to train it: nn train recipe={target.stem}")
