"""Train neural networks from YAML: `nn train recipe=…` in a shell, `nncli.fit([...])` and `nncli.load` in Python."""

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from nncli.run.folder import RunFolder
    from nncli.run.model import Model

STARTED = time.time()  # summaries measure from here, the first line of nn that runs


def fit(words: Sequence[str] = (), *, show: Any = "auto", trust: Collection[str] = ()) -> "RunFolder":
    """`nn train` with these words; returns the finished run's folder. show: auto, bar, plain, json or quiet."""
    from nncli.run.fit import fit_words

    return fit_words(words, show=show, trust=trust)


def load(
    run: "str | Path" = "last",
    *,
    which: Literal["best", "last"] = "best",
    form: str = "predict",
    trust: Collection[str] = (),
) -> "Model":
    """The model of a finished run: `nncli.load("last").predict(rows)`, or with form="embedding" its embeddings.

    Needs only the run's folder.
    """
    from nncli.run.model import load as load_model

    return load_model(run, which=which, form=form, trust=trust)
