"""`nn sweep`."""

import math
from typing import Annotated, Any

import typer

from nncli.cli.complete import complete_words
from nncli.cli.options import Json, Quiet, Trust
from nncli.cli.train import mode
from nncli.output import as_json, say

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[WORD|show NAME|best NAME]",
        help="Words as for nn train, of which some have several values: model.width=16,32, range(1,5), "
        "interval(0,0.5), tag(log,interval(1e-4,1e-1)); and sweep=…, sweep.trials=… Or show or best, and a sweep.",
        autocompletion=complete_words,
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be searched, then stop.")]
Resume = Annotated[
    str | None, typer.Option(metavar="NAME", help="Continue a sweep with the words that began it.", show_default=False)
]


def sweep(
    words: Words = None,
    resume: Resume = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    trust: Trust = None,
) -> None:
    """Search values for keys, in trials that are runs. The same line again continues where it stopped.

    \b
    nn sweep recipe=wine_mlp optimizer.lr=0.001,0.01 sweep.trials=2
    nn sweep show wine_mlp_sweep
    """
    from nncli.errors import NnError
    from nncli.run.screen import Screen
    from nncli.sweep.screen import SweepScreen
    from nncli.sweep.settings import settings
    from nncli.sweep.space import space
    from nncli.sweep.sweep import named, prepare, words_of

    typed = list(words or ())
    if resume is not None:
        if any(not word.startswith("sweep.") for word in typed):
            raise NnError("--resume continues with the words that began the sweep; only sweep.…=… can be added")
        typed = [*words_of(named(resume)), *typed]
    how, rest = settings(typed)
    found = prepare(how, rest, space(rest), trust=trust or ())
    if dry_run:
        _preview(found, json)
        return
    screen = Screen(mode(json, quiet))
    screen.line(f"{found.folder.name} · {how.method} · {found.total} trials")
    for key, dimension in found.space.dimensions.items():
        screen.line(f"  {key}: {dimension}")
    with SweepScreen(screen, found.total, found.metrics) as shown:
        found.run(shown)
    _result(found, screen, json)


def _preview(found: Any, json: bool) -> None:
    """The space, its size, and the first trials."""
    first = found.preview(3)
    if json:
        space = {key: str(one) for key, one in found.space.dimensions.items()}
        say(as_json({"space": space, "trials": found.total, "first": first}))
        return
    size = found.space.size()
    among = f" of {size:,} combinations" if math.isfinite(size) else ""
    say(f"{found.folder.name} · {found.settings.method} · {found.total} trials{among}")
    for key, dimension in found.space.dimensions.items():
        say(f"  {key}: {dimension}")
    say("the first trials would be")
    for words in first:
        say(f"  nn train {' '.join(words)}")
    say("nothing was started")


def _result(found: Any, screen: Any, json: bool) -> None:
    trials, best = found.trials(), found.best()
    counts = {state: sum(one.state == state for one in trials) for state in ("complete", "pruned", "failed")}
    if json:
        facts = {"sweep": str(found.folder), **counts}
        say(as_json(facts | ({"best": vars(best), "words": found.space.words(best.picked)} if best else {})))
        return
    screen.line("  " + " · ".join(f"{count} {state}" for state, count in counts.items() if count))
    if best:
        screen.line(f"  best   trial {best.slot}   {found.metrics[0]} {(best.values or [0.0])[0]:.4f}")
    screen.line(f"next: nn sweep best {found.folder.name} · nn sweep show {found.folder.name}")
