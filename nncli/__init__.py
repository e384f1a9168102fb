"""Train neural networks from YAML: `nn train recipe=…` at the prompt, `nncli.fit([...])` in a notebook."""

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nncli.run.folder import RunFolder

STARTED = time.time()  # summaries count from here: the tool's first own line


def fit(words: Sequence[str] = (), *, show: Any = "auto", trust: Collection[str] = ()) -> "RunFolder":
    """`nn train` with these words; gives the finished run's folder. show: auto, bar, plain, json or quiet."""
    from nncli.run.fit import fit_words

    return fit_words(words, show=show, trust=trust)
