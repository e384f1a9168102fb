"""The arguments and options that several verbs share."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.complete import complete_runs, complete_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from nncli.terminal import Terminal

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WORD",
        help="recipe=NAME, a choice such as model=resnet, or a value such as optimizer.lr=0.1.",
        autocompletion=complete_words,
        show_default=False,
    ),
]
Run = Annotated[
    str,
    typer.Argument(help="A run's folder, its name, or `last`.", autocompletion=complete_runs),
]


def named(run: str, words: list[str] | None) -> tuple[str, list[str]]:
    """`nn resume trainer.max_epochs=60` means the last run."""
    return ("last", [run, *(words or [])]) if "=" in run else (run, words or [])


Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Trust = Annotated[
    list[str] | None,
    typer.Option("--trust", metavar="PACKAGE", help="Trust the classes of your own package.", show_default=False),
]


def may_write(out: "Path", refuse: "Callable[[Path], None] | None" = None, like: str = "--out lr.png") -> None:
    """Refuse a file that cannot be written, or that nn did not make, before the work for it begins."""
    from nncli.errors import NnError
    from nncli.insight import png

    option = like.split()[0]
    if out.is_dir() or not out.absolute().parent.is_dir():
        what = "it is a folder" if out.is_dir() else f"the folder {out.parent} does not exist"
        raise NnError(f"{option} is {out}: {what}; give a file such as {like}")
    refuse(out) if refuse else png.refuse(out, option)
    if not os.access(out if out.exists() else out.absolute().parent, os.W_OK):
        raise NnError(f"{option} is {out}: it cannot be written there; choose a file in another folder")


def how_to_quantize(word: str) -> str:
    """The word if it is a way to quantize."""
    from nncli.errors import NnError

    if word not in HOWS:
        raise NnError(f"--quantize is {word}; it must be {', '.join(HOWS[:-1])} or {HOWS[-1]}")
    return word


def refuse_given(context: typer.Context, names: "Iterable[str]", why: str) -> None:
    """Raise NnError if one of these options was typed: it would have no effect."""
    from nncli.errors import NnError

    typed = [name for name in names if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"]
    if odd := next(iter(typed), None):
        raise NnError(f"--{odd.replace('_', '-')} {why}")


HOWS = ("dynamic", "static", "weight-only")  # to quantize
Finetune = Annotated[int, typer.Option(min=1, help="The epochs for which a pruned model is trained.")]
TrustFile = Annotated[
    bool, typer.Option("--trust-file", help="Open a file that can run code although it was not exported here.")
]


def confirmed(question: str) -> bool:
    """Whether a person agrees; where nobody can answer, the error names the option that does."""
    from nncli.errors import NnError, printable

    try:
        return typer.confirm(printable(question))
    except (typer.Abort, RuntimeError) as error:  # the input has ended, or there is none
        if sys.stdin is not None and sys.stdin.isatty():
            raise
        raise NnError("nobody answered, so nothing was done; to answer yes, add --yes") from error


def console(wide: int = 200) -> "Terminal":
    """The console for tables: wide where no terminal would cut them."""
    from nncli.terminal import Terminal

    return Terminal(width=None if sys.stdout.isatty() else wide)
