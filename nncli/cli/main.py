"""`nn`: the verbs, and where every error that a person can cause ends: as one message and an exit code."""

import io
import os
import sys
from typing import Annotated, Any, NoReturn

import typer

from nncli.cli import config, data, recipes, runs, tune
from nncli.cli.bench import bench
from nncli.cli.compare import compare
from nncli.cli.env import env
from nncli.cli.eval import judge
from nncli.cli.export import export
from nncli.cli.init import init
from nncli.cli.predict import predict
from nncli.cli.repeat import cv
from nncli.cli.shrink import shrink
from nncli.cli.sweep import sweep
from nncli.cli.train import resume, train
from nncli.cli.verify import verify
from nncli.errors import ConfigError, NnError, Stopped, unforeseen
from nncli.output import say

UsageError: Any = typer.BadParameter.__mro__[1]  # of the click that this typer stands on: its own, or the package

app = typer.Typer(
    name="nn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        say(f"nn {version('nncli')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version)] = False,
) -> None:
    """Train neural networks from YAML: checked, reproducible runs that can be resumed, evaluated and explained."""


app.command()(train)
app.command()(resume)
app.command()(cv)
app.command(name="eval")(judge)
app.command()(compare)
app.command()(export)
app.command()(predict)
app.command()(shrink)
app.command()(sweep)
app.command()(verify)
app.add_typer(data.app, name="data")
app.add_typer(recipes.app, name="recipes")
app.add_typer(config.app, name="config")
app.add_typer(runs.app, name="runs")
app.add_typer(tune.app, name="tune")
app.command()(init)
app.command()(bench)
app.command()(env)


def main() -> None:
    """The console script: run a verb, turn what it raises into a message on stderr and a documented exit code."""
    try:
        code = app(standalone_mode=False)  # typer would print a typed word as it is
    except UsageError as error:
        said = io.StringIO()
        error.show(said)
        say(said.getvalue(), err=True, end="")
        _leave(error.exit_code)
    except typer.Abort:
        say("not confirmed; nothing was done", err=True)
        _leave(1)
    except ConfigError as error:
        from nncli.cli.problems import show_problems

        show_problems(error)
        _leave(error.exit_code)
    except NnError as error:
        say(str(error), err=True)
        _leave(error.exit_code)
    except Stopped as stopped:
        say(f"\nstopped; to continue: nn resume {stopped.run}" if stopped.run else "\nstopped", err=True)
        _leave(stopped.exit_code)
    except KeyboardInterrupt:
        _leave(130)
    except BrokenPipeError:
        _leave(1)
    except Exception as error:
        if os.environ.get("NN_DEBUG"):
            raise
        say(unforeseen(error), err=True)
        _leave(1)
    _leave(code if isinstance(code, int) else 0)


def _leave(code: int) -> NoReturn:
    try:
        sys.stdout.flush()
    except OSError:  # the reader has gone, or the disk behind `>` is full: the rest cannot be written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
