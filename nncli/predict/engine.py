"""What predicts: a run, or an exported file, which is opened without torch if its runtime needs none."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

from nncli.errors import NnError
from nncli.files import home, named
from nncli.predict.inputs import EVERY, is_input
from nncli.predict.run import Engine


def split(words: Sequence[str]) -> tuple[str, list[str]]:
    """The run or exported file that the first word names, and the inputs; without one, `last` and all words."""
    from nncli.run import folder

    first, path = words[0], home(words[0])
    if _is_exported(path):
        return first, list(words[1:])
    if path.is_file() and not folder.is_run(path):
        return "last", list(words)
    try:
        folder.find(first)
    except NnError as error:
        if folder.is_run(path):  # of a newer version, or ended before it began
            raise
        if is_input(first):
            return "last", list(words)
        raise NnError(f"{error}\nThere is no file {named(first)} either, exported or to be predicted") from error
    return first, list(words[1:])


def is_file(name: str) -> bool:
    """Whether this names an exported file, and not a run."""
    return home(name).is_file() or _is_exported(home(name))


def _is_exported(path: Path) -> bool:
    """Whether this has the suffix of an exported file, which for OpenVINO is a folder."""
    if not path.exists() or path.suffix.lower() in EVERY:
        return False
    from nncli.export.formats import suffixes
    from nncli.run import folder

    return path.name.endswith(suffixes()) and not folder.is_run(path)


def open_engine(
    name: str,
    *,
    which: Literal["best", "last"] = "best",
    embed: bool = False,
    trust: Collection[str] = (),
    trust_file: bool = False,
) -> Engine:
    """The run, on the best device of this machine, or the exported file."""
    path = home(name)
    if not is_file(name):
        from nncli.run.model import load

        return load(name, which=which, trust=trust, form="embedding" if embed else "predict").on_best_device()
    from nncli.export.files import open_file

    engine = open_file(path, trusted=trust_file)
    if embed and engine.card["form"] != "embedding":
        raise NnError(
            f"{named(path)} has the form {engine.card['form']}; for embeddings, export the run with --form embedding"
        )
    return engine
