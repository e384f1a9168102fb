"""`nn`: words in, one call, a result shown. Every error a person can cause ends here, as one message and a code."""

import os
import sys
from typing import Annotated

import typer

from nncli.cli import config, data, recipes, runs, tune
from nncli.cli.bench import bench
from nncli.cli.env import env
from nncli.cli.init import init
from nncli.cli.judge import judge
from nncli.cli.train import resume, train
from nncli.cli.verify import verify
from nncli.errors import ConfigError, NnError, Stopped, printable

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

        print(f"nn {version('nncli')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version)] = False,
) -> None:
    """Train neural networks from YAML: checked, reproducible runs that can be resumed, judged and explained."""


app.command()(train)
app.command()(resume)
app.command(name="eval")(judge)
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
        app()
    except ConfigError as error:
        from nncli.cli.problems import show_problems

        show_problems(error)
        _leave(error.exit_code)
    except NnError as error:
        print(printable(str(error)), file=sys.stderr)
        _leave(error.exit_code)
    except Stopped as stopped:
        print("\nstopped; go on with: nn resume last", file=sys.stderr)
        _leave(stopped.exit_code)
    except KeyboardInterrupt:
        _leave(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _leave(1)
    except PermissionError as error:
        if os.environ.get("NN_DEBUG"):
            raise
        print(printable(f"{error.filename or 'a file'}: permission denied; look at who may read it"), file=sys.stderr)
        _leave(1)
    except Exception as error:
        if os.environ.get("NN_DEBUG"):
            raise
        text = str(error).partition("\n")[0]
        print(f"nn itself failed: {type(error).__name__}: {text}\nNN_DEBUG=1 shows where", file=sys.stderr)
        _leave(1)


def _leave(code: int) -> None:
    sys.stdout.flush()
    sys.exit(code)
