"""`nn config`: show, check, explain."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.complete import complete_keys
from nncli.cli.options import Json, Trust, Words, may_write
from nncli.cli.options import console as screen
from nncli.output import as_json, say

if TYPE_CHECKING:
    from nncli.config.compose import Config
    from nncli.config.explain import Explanation

app = typer.Typer(help="Show a config, check it, or explain a key.", no_args_is_help=True)
Key = Annotated[
    str,
    typer.Argument(help="A key, a section or a group.", autocompletion=complete_keys, show_default=False),
]


Lr = Annotated[bool, typer.Option("--lr", help="Plot the learning rate over the run instead.")]
Steps = Annotated[
    int | None, typer.Option(min=1, help="With --lr: how many steps. Default: trainer.max_steps or 1000.")
]
Out = Annotated[Path | None, typer.Option(help="With --lr: save the plot as this PNG file.")]


@app.command()
def show(
    words: Words = None,
    json: Json = False,
    trust: Trust = None,
    lr: Lr = False,
    steps: Steps = None,
    out: Out = None,
) -> None:
    """Print the complete config of a run; in a terminal, also where each value was set.

    \b
    nn config show recipe=digits_mlp
    nn config show recipe=digits_mlp model.width=64
    nn config show --lr scheduler=one_cycle
    """
    from nncli.config.compose import compose, freeze
    from nncli.errors import ConfigError, NnError

    if not lr and (steps or out):
        raise NnError("--steps and --out need --lr: nn config show --lr")
    if out:
        may_write(out)
    config = compose(words or [], trust=trust or ())
    if config.problems:
        raise ConfigError(config.problems)
    if lr:
        _draw_rates(config, steps, out)
    elif json:
        _print_json(config)
    elif sys.stdout.isatty():
        _print_origins(config)
    else:
        say(freeze(config), end="")


@app.command()
def check(words: Words = None, json: Json = False, trust: Trust = None) -> None:
    """Report every problem of a config; start nothing.

    \b
    nn config check recipe=digits_mlp optimizer=sgd
    """
    from dataclasses import asdict

    from nncli.config.trust import trusted
    from nncli.errors import ConfigError
    from nncli.run.fit import check_words

    try:
        check_words(words or [], trusted(trust or ()))
    except ConfigError as error:
        if not json:
            raise
        say(as_json([asdict(problem) for problem in error.problems]))
        raise typer.Exit(error.exit_code) from error
    say("[]" if json else "no problems")


@app.command()
def explain(key: Key, words: Words = None, trust: Trust = None) -> None:
    """Explain a key: its meaning, what it accepts, its value and where that was set. Of a group, list the choices.

    \b
    nn config explain optimizer
    nn config explain model.width recipe=digits_mlp
    """
    from nncli.config.compose import compose
    from nncli.config.explain import explain as explained
    from nncli.errors import ConfigError
    from nncli.run.assemble import SECTIONS

    config = compose(words or [], trust=trust or ())
    if config.problems:
        raise ConfigError(config.problems)
    _print_explanation(explained(config, key, SECTIONS))


def _draw_rates(config: "Config", steps: int | None, out: Path | None) -> None:
    import shutil

    from nncli.insight.png import save
    from nncli.insight.rates import chart, picture, rates, steps_of
    from nncli.run.resolve import complete

    complete(config)
    found = rates(config, steps_of(config, steps))
    say(chart(found, max(20, min(shutil.get_terminal_size().columns, 100) - 12)))
    if out:
        save(picture(found), out)
        say(f"wrote {out}")


def _print_json(config: "Config") -> None:
    import yaml

    from nncli.config.compose import freeze
    from nncli.config.document import Loader

    values = yaml.load(freeze(config), Loader=Loader)
    origins = {key: origin.where for key, origin in config.origins.items()}
    say(as_json({"config": values, "origins": origins}, indent=1))


def _print_origins(config: "Config") -> None:
    """The frozen text, and in a dim column on the right where the value of the line was set."""
    from rich.text import Text

    from nncli.config.compose import freeze
    from nncli.config.document import parse
    from nncli.terminal import Terminal

    text = freeze(config)
    keys = {mark.line: key for key, mark in reversed(list(parse(text, Path("config.yaml")).marks.items()))}
    lines = text.splitlines()
    width = min(max(map(len, lines)), 60) + 3
    console = Terminal()
    for number, line in enumerate(lines, 1):
        key = keys.get(number, "")
        origin = config.origins.get(key)
        # not on the line of a section, but on those of its keys
        note = origin.where if origin and not line.endswith(":") else ""
        typed = "bold" if origin and origin.kind == "word" else ""
        console.print(Text(line.ljust(width), style=typed).append(note, style="dim"), soft_wrap=True)


def _print_explanation(explained: "Explanation") -> None:
    from rich.table import Table
    from rich.text import Text

    console = screen(160)
    console.print(Text(explained.title, style="bold"))
    table = Table.grid(padding=(0, 2))
    for name, text in explained.facts.items():
        table.add_row(Text(f"  {name}", style="dim"), Text(text))
    console.print(table)
    if explained.choices:
        console.print(Text("  choices", style="dim"))
        rows = Table.grid(padding=(0, 2))
        for name, text in explained.choices.items():
            rows.add_row(Text(f"    {explained.title}={name}"), Text(text))
        console.print(rows)
    if explained.keys:
        console.print(Text("  keys", style="dim"))
        rows = Table.grid(padding=(0, 2))
        for name, (value, text) in explained.keys.items():
            rows.add_row(Text(f"    {name}"), Text(value), Text(text, style="dim"))
        console.print(rows)
