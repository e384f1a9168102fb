"""What a model puts out as named columns: classes and probabilities, values in their units, forecasts, embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from nncli.errors import NnError

Outputs = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Shown:
    """What is shown of each prediction of a classifier, besides its class and the probability of it."""

    top: int | None = None  # this many of the most probable classes
    probabilities: bool = False  # the probability of each class, in a column of its own


def table(outputs: Outputs, card: Mapping[str, Any], shown: Shown) -> tuple[pl.DataFrame, int]:
    """The columns of a model's outputs, and how many rows each sample has: a forecast has one for each step."""
    columns, rows = dict[str, Any](), 1
    for name, values in outputs.items():
        match name:
            case "probabilities":
                columns |= _classes(values, _names(card, values.shape[1]), shown)
            case "class":
                columns[name] = pl.Series(_names(card, int(values.max(initial=1)) + 1)).gather(values.astype(np.int64))
            case "forecast":
                rows = values.shape[1]
                columns["step"] = np.tile(np.arange(1, rows + 1), len(values))
                names = [f"predicted_{name}" if name == "step" else name for name in targets(card, values.shape[2])]
                columns |= _flat(values.reshape(-1, values.shape[2]), names)
            case "value":
                columns |= _flat(values.reshape(len(values), -1), targets(card, values[:1].size, "value"))
            case _:
                letter = "e" if name == "embedding" else f"{name}_"
                flat = values.reshape(len(values), -1)
                columns |= _flat(flat, [name] if flat.shape[1] == 1 else [f"{letter}{i}" for i in range(flat.shape[1])])
    return pl.DataFrame(columns), rows


def _classes(values: np.ndarray, names: list[str], shown: Shown) -> dict[str, Any]:
    """The class with the highest probability, the next ones, and the probabilities of all classes."""
    top, series = shown.top or 1, pl.Series(names)
    order = values.argmax(axis=1)[:, None] if top == 1 else np.argsort(-values, axis=1, kind="stable")[:, :top]
    best = np.take_along_axis(values, order, axis=1)
    columns: dict[str, Any] = {}
    for place in range(order.shape[1]):
        suffix = f"_{place + 1}" if place else ""
        columns[f"class{suffix}"] = series.gather(order[:, place])
        columns[f"probability{suffix}"] = best[:, place]
    if shown.probabilities:
        columns |= {f"p_{name}": values[:, place] for place, name in enumerate(names)}
    return columns


def check(shown: Shown, card: Mapping[str, Any]) -> None:
    """Raise NnError if a classifier's answers are asked of another model, or more classes than there are."""
    asked = "--top" if shown.top else "--probabilities" if shown.probabilities else ""
    outputs = [output["name"] for output in card["outputs"]]
    if asked and "probabilities" not in outputs:
        raise NnError(f"{asked} is for a model that returns probabilities; this one returns: {', '.join(outputs)}")
    if shown.top and shown.top > len(card.get("classes") or range(shown.top)):
        raise NnError(f"--top is {shown.top}, and this model has {len(card['classes'])} classes")


def _names(card: Mapping[str, Any], count: int) -> list[str]:
    given: Sequence[str] = card.get("classes") or [str(number) for number in range(count)]
    if len(given) < count:
        raise NnError(f"the model has {count} classes, and its metadata names {len(given)}; export the run again")
    return list(given)


def targets(card: Mapping[str, Any], count: int, name: str = "target") -> list[str]:
    """The names of the columns that are predicted."""
    names: list[str] = card.get("target") or []
    if len(names) == count:
        return names
    return [name] if count == 1 else [f"{name}_{place}" for place in range(count)]


def _flat(values: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    return {name: values[:, place] for place, name in enumerate(names)}
