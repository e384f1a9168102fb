"""`nn init`: a project folder to start from."""

import os
from typing import Annotated

import typer

from nncli.output import say

Folder = Annotated[str, typer.Argument(help="The new folder, or . for the current one.", show_default=True)]


def init(folder: Folder = "my_project") -> None:
    """Create a project folder: a recipe, a net of your own with its YAML, and a test. It must be new or empty.

    \b
    nn init my_project
    """
    from pathlib import Path
    from shlex import quote

    from nncli.errors import NnError
    from nncli.paths import start
    from nncli.run.files import write_new

    if not folder:
        raise NnError("the name of the folder is empty; for the current folder: nn init .")
    root = Path(folder).expanduser()
    if os.path.lexists(root) and (not root.is_dir() or any(path.name != ".git" for path in root.iterdir())):
        raise NnError(f"{folder} is not empty; name a new folder: nn init NAME")
    try:
        for source in sorted(start().rglob("*")):
            if source.is_file() and "__pycache__" not in source.parts:
                target = root / source.relative_to(start()).as_posix().removesuffix(".txt")
                target.parent.mkdir(parents=True, exist_ok=True)
                write_new(target, source.read_bytes())
    except FileExistsError as error:
        raise NnError(f"{error.filename} exists already and was kept; name a new folder: nn init NAME") from error
    except OSError as error:
        raise NnError(f"{folder} cannot be written: {error.strerror}") from error
    say(f"created {folder}: recipes/mine.yaml, my_nets.py, conf/model/mine.yaml, tests/test_my_nets.py, README.md")
    say(f"next: cd {quote(folder)} && nn train recipe=mine")
