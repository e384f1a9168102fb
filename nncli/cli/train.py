"""`nn train` and `nn resume`."""

from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.options import Json, Quiet, Run, Trust, Words, named
from nncli.cli.repeat import repeat
from nncli.errors import NnError

if TYPE_CHECKING:
    from nncli.run.screen import Mode

DryRun = Annotated[bool, typer.Option("--dry-run", help="Check the config, the data and one batch, then stop.")]


def mode(json: bool, quiet: bool) -> "Mode":
    return "json" if json else "quiet" if quiet else "auto"


def train(
    words: Words = None, dry_run: DryRun = False, json: Json = False, quiet: Quiet = False, trust: Trust = None
) -> None:
    """Train a net; the run and everything about it is stored in a new folder.

    With seeds=N, train it from N seeds side by side, and print the mean, the deviation and an interval of each metric.

    \b
    nn train
    nn train recipe=wine_mlp optimizer.lr=0.01 trainer.max_epochs=20
    """
    if any(word.startswith("folds=") for word in words or ()):
        raise NnError("folds=… is for nn cv, which trains a net for each fold")
    if not dry_run and any(word.startswith("seeds=") for word in words or ()):
        repeat("seeds", words or [], json, quiet, trust or ())
        return
    from nncli.config.compose import compose

    config = compose([word for word in words or () if not word.startswith("seeds=")], trust=trust or ())
    from nncli.run.processes.cluster import fit_anywhere
    from nncli.run.screen import Screen

    fit_anywhere(config, Screen(mode(json, quiet)), dry_run=dry_run)


def resume(
    run: Run = "last", words: Words = None, json: Json = False, quiet: Quiet = False, trust: Trust = None
) -> None:
    """Continue a run in its own folder, exactly where it stopped, or train it for longer.

    \b
    nn resume last
    nn resume last trainer.max_epochs=60
    """
    from nncli.run import folder
    from nncli.run.processes.cluster import resume_anywhere
    from nncli.run.screen import Screen

    name, words = named(run, words)
    resume_anywhere(folder.find(name), words, Screen(mode(json, quiet)), trust or ())
