"""`nn sweep`."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nncli.cli.complete import complete_words
from nncli.cli.options import Json, Quiet, Trust, console, refuse_given
from nncli.cli.train import mode
from nncli.errors import NnError, Stopped
from nncli.output import as_json, say
from nncli.paths import shown

if TYPE_CHECKING:
    from nncli.run.screen import Screen

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
Refit = Annotated[
    int | None,
    typer.Option(
        min=1, help="Train the best trial with so many seeds, and evaluate the test part.", show_default=False
    ),
]
Resume = Annotated[
    str | None, typer.Option(metavar="NAME", help="Continue a sweep with the words that began it.", show_default=False)
]


def sweep(
    context: typer.Context,
    words: Words = None,
    resume: Resume = None,
    dry_run: DryRun = False,
    refit: Refit = None,
    json: Json = False,
    quiet: Quiet = False,
    trust: Trust = None,
) -> None:
    """Search values for keys, in trials that are runs. The same line again continues where it stopped.

    \b
    nn sweep recipe=wine_mlp optimizer.lr=0.001,0.01 sweep.trials=2
    nn sweep show wine_mlp_sweep
    nn sweep best wine_mlp_sweep
    """
    typed = list(words or ())
    if typed and typed[0] in ("show", "best"):
        from nncli.sweep.prepare import named

        refuse_given(context, ["resume", "dry_run"], f"has no effect with nn sweep {typed[0]}")
        name, url = _one(typed)
        if typed[0] == "show":
            refuse_given(context, ["refit"], "is for nn sweep best")
            _show(named(name), url, json)
        else:
            _best(named(name), url, refit, json, trust or [])
        return
    refuse_given(context, ["refit"], "is for nn sweep best NAME")
    if typed and "=" not in typed[0]:
        from nncli.config.nearest import guess

        text = "is neither a word such as model.width=16,32 nor show or best and the name of a sweep"
        raise NnError(f"{typed[0]} {text}. {guess(typed[0], ('show', 'best'))}")
    from nncli.run.processes.pool import nursery
    from nncli.run.screen import Screen

    with nullcontext() if dry_run else nursery():
        _search(typed, resume, Screen(mode(json, quiet)), dry_run, json, trust or ())


def _search(
    typed: list[str], resume: str | None, screen: "Screen", dry_run: bool, json: bool, trust: Sequence[str]
) -> None:
    from nncli.sweep.prepare import named, prepare, words_of

    if resume is not None:
        if any(not word.startswith("sweep.") for word in typed):
            raise NnError("--resume continues with the words that began the sweep; only sweep.…=… can be added")
        folder = named(resume)
        keys = {word.partition("=")[0] for word in typed}
        typed = [*(word for word in words_of(folder) if word.partition("=")[0] not in keys), *typed]
    found = prepare(typed, trust=trust)
    if dry_run:
        _preview(found, json)
        return
    screen.line(f"{found.folder.name} · {found.settings.method} · {found.total} trials")
    for key, dimension in found.space.dimensions.items():
        screen.line(f"  {key}: {dimension}")
    from nncli.sweep.screen import SweepScreen

    try:
        with SweepScreen(screen, found.total, found.metrics) as progress:
            found.run(progress)
    except Stopped:
        say(f"\nto continue: the same line, or nn sweep --resume {found.folder.name}", err=True)
        raise
    _result(found, screen, json)


def _one(words: list[str]) -> tuple[str, str | None]:
    """The name after show or best, and the address of its database, if there is one."""
    key, _, url = words[2].partition("=") if len(words) == 3 else ("", "", "")
    if len(words) == 2 or (key == "sweep.storage" and "://" in url):
        return words[1], url or None
    raise NnError(f"name one sweep, and its database if it has one: nn sweep {words[0]} NAME [sweep.storage=…]")


def _show(folder: Path, url: str | None, json: bool) -> None:
    from nncli.sweep.page import page
    from nncli.sweep.show import show, tables

    facts = show(folder, url)
    file = page(folder, url)
    if json:
        say(as_json(facts | {"page": str(file)}))
        return
    for one in tables(facts):
        console().print(one)
    say(f"plots: {shown(file)}")


def _best(folder: Path, url: str | None, refit: int | None, json: bool, trust: list[str]) -> None:
    from nncli.sweep import best
    from nncli.sweep.show import refit_table

    if refit is None:
        found = best.best(folder, url)
        say(as_json(found) if json else "\n".join(one["type"] for one in found))
        return
    from nncli.run.processes.pool import nursery

    with nursery():
        facts = best.refit(folder, refit, lambda text: None if json else say(f"  {text}"), trust=trust, url=url)
    if json:
        say(as_json(facts))
    else:
        console().print(refit_table(facts))


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
    if found.minutes:
        each = f"each takes the {found.minutes:g} minutes of the recipe's claim"
        say(f"about {found.minutes * found.total / found.workers:.2g} minutes if {each}, {found.workers} at a time")
    say("nothing was started")


def _result(found: Any, screen: Any, json: bool) -> None:
    trials, best = found.trials(), found.best()
    counts = {state: sum(one.state == state for one in trials) for state in ("complete", "pruned", "failed")}
    if json:
        facts = {"sweep": str(found.folder), **counts}
        say(as_json(facts | ({"best": vars(best), "words": found.space.words(best.picked)} if best else {})))
    else:
        screen.line("  " + " · ".join(f"{count} {state}" for state, count in counts.items() if count))
        if best:
            screen.line(f"  best   trial {best.slot}   {found.metrics[0]} {(best.values or [0.0])[0]:.4f}")
            screen.line(f"next: nn sweep best {found.folder.name} · nn sweep show {found.folder.name}")
    if not best and counts["failed"]:
        raise NnError(f"no trial could be trained; to see why: nn sweep show {found.folder.name}")
