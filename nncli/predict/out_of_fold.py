"""What each run of a cross-validation predicts for the fold that it was not trained on, in one table."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from nncli.data.base import Data
from nncli.predict.answers import Shown, table
from nncli.run.assemble import load_data
from nncli.run.files import write_atomic
from nncli.run.folder import RunFolder
from nncli.run.model import Model, load

MOST = 100  # classes up to which the probability of each is kept


def write(runs: Sequence[RunFolder], file: Path, trust: Collection[str] = ()) -> None:
    """Write for each sample its row in the data, its fold, its place in the files if it has one, target and answer."""
    frames = [_frame(load(run.path, trust=trust).on_best_device(), fold) for fold, run in enumerate(runs)]
    write_atomic(file, pl.concat(frames).write_csv().encode())


def _frame(model: Model, fold: int) -> pl.DataFrame:
    data = load_data(model.config, dict(model.task.facts))
    part, taken = data.parts["test"], vars(data.split).get("taken", {}).get("test", ())  # a split of one's own has none
    rows = taken if len(taken) == len(part) else np.arange(len(part))  # windows are counted in their fold
    before = pl.DataFrame({"row": np.asarray(rows), "fold": np.full(len(part), fold)})
    if type(data).where is not Data.where:
        before = before.with_columns(pl.Series("place", [data.where("test", row) for row in range(len(part))]))
    pieces = [_answered(model, x.numpy(), y.numpy()) for x, y in part.chunks()]
    found = pl.concat(pieces)
    return before[np.repeat(np.arange(len(part)), found.height // len(part))].hstack(found)


def _answered(model: Model, x: np.ndarray, y: np.ndarray) -> pl.DataFrame:
    """The targets and the answers for some samples; a forecast has a row for each step."""
    card = model.card
    classes = card["classes"] or []
    found, _ = table(model(x), card, Shown(probabilities=len(classes) <= MOST))
    flat = y.reshape(found.height, -1)
    names = [str(name) for name in card["target"] or []]
    names = names if len(names) == flat.shape[1] else [str(place) for place in range(flat.shape[1])]
    for place, name in enumerate(names):
        column = pl.Series("target" if len(names) == 1 else f"target_{name}", flat[:, place])
        found.insert_column(place, pl.Series(column.name, classes).gather(column) if classes else column)
    return found
