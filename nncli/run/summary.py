"""Read summary.json and environment.json, even if edited by hand, written by another version or truncated."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nncli.output import finite

OPPONENTS = ("naive", "seasonal")  # a metric such as naive_mse is the mse of a simple opponent
LARGEST = 10_000_000  # bytes that are read
NUMBERS = (
    "started_at",
    "wall_s",
    "first_step_s",
    "samples_per_s",
    "peak_memory_mb",
    "epochs",
    "steps",
    "best_step",
    "parameters",
)


def contents(file: Path) -> tuple[dict[str, Any], str]:
    """The content of the file, and what is wrong with it; both are empty if it does not exist."""
    try:
        if not file.is_file():
            return {}, "is not a file" if os.path.lexists(file) else ""
        with file.open("rb") as f:
            found = finite(json.loads(f.read(LARGEST)))
    except OSError as error:
        return {}, f"cannot be read: {error.strerror}"
    except (ValueError, RecursionError):
        return {}, "is not JSON as nn writes it"
    text = _misfit(found)
    return ({}, text) if text else (found, "")


def decimals(number: float | None, places: int = 4) -> str:
    """A metric as text; one that was not finite is null in the file."""
    if number is None:
        return "-"
    return f"{number:.{places}f}" if number == 0 or abs(number) >= 0.1**places * 10 else f"{number:.3g}"


def beside(metrics: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The metrics of the model, and under the same names those of each simple opponent, such as `naive_mse`."""
    found: dict[str, dict[str, Any]] = {"model": {}}
    for name, value in metrics.items():
        part, slash, metric = name.rpartition("/")
        who, _, what = metric.partition("_")
        own = f"{part}{slash}{what}"
        if who in OPPONENTS and own in metrics:
            found.setdefault(who, {})[own] = value
        else:
            found["model"][name] = value
    return found


def _misfit(facts: Any) -> str:
    """The first value of an unexpected type."""
    if not isinstance(facts, dict):
        return "must contain keys and values"
    metrics = facts.get("metrics", {})
    if not isinstance(metrics, dict):
        return f"metrics must contain names and numbers, not {_short(metrics)}"
    if not isinstance(status := facts.get("status", ""), str):
        return f"status must be text, not {_short(status)}"
    numbers = {key: facts[key] for key in NUMBERS if key in facts} | {f"metrics.{k}": v for k, v in metrics.items()}
    odd = [key for key, value in numbers.items() if not _is_number(value)]
    return f"{odd[0]} must be a number, not {_short(numbers[odd[0]])}" if odd else ""


def _is_number(value: Any) -> bool:
    """Whether a value can be printed as a number; null stands for one that was not finite."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300)


def _short(value: Any) -> str:
    return json.dumps(value)[:40]
