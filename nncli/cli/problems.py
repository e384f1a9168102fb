"""The report of a config's problems."""

import sys
from typing import TYPE_CHECKING

from nncli.errors import SHOWN, ConfigError, Problem, printable, short

if TYPE_CHECKING:
    from nncli.terminal import Terminal

_WIDTH = 38  # of `key = value`, so that who set it stands in a column


def show_problems(error: ConfigError, console: "Terminal | None" = None) -> None:
    """All problems at once: key = value, who set it, the code, and below what would be right. To stderr."""
    from rich.text import Text

    from nncli.terminal import Terminal

    console = console or Terminal(stderr=True)
    count = len(error.problems)
    console.print(Text(f"{count} problem{'s' if count != 1 else ''}, nothing was started\n", style="bold red"))
    for problem in error.problems[:SHOWN]:
        head = Text("  ").append(_named(problem), style="bold").append("  ").append(problem.where, style="dim")
        head.append(f" · {problem.code}" if problem.where else problem.code, style="dim")
        console.print(head, soft_wrap=True)
        console.print(Text(f"      {short(problem.text)}"), soft_wrap=True)
    if count > SHOWN:
        console.print(f"\n  and {count - SHOWN} more")
    if see := error.see or _see(error.problems):
        console.print(Text(f"\nsee: {see}", style="dim"), soft_wrap=True)


def _named(problem: Problem) -> str:
    """The key with its value on one line, in a column of its own."""
    key, value = short(problem.key), short(problem.value)
    return printable(f"{key} = {value}" if value else key, lines=False).ljust(_WIDTH)


def _see(problems: list[Problem]) -> str:
    """The commands that show more: of the first section that is named, and of the recipe on the command line."""
    sections = [short(p.key.partition(".")[0], 80) for p in problems if "." in p.key and "/" not in p.key]
    explain = f"nn config explain {sections[0]} · " if sections else ""
    recipe = next((f" {word}" for word in sys.argv if word.startswith("recipe=") and word.isprintable()), "")
    return f"{explain}nn config show{recipe}"
