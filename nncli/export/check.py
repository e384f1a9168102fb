"""Compare an exported file with its run again, or where the run is not available, with what the file says of it."""

import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from nncli.config.check import check
from nncli.config.compose import Config, load_frozen
from nncli.errors import ConfigError, NnError
from nncli.export import formats
from nncli.export.acceptance import Comparison, measured, monitored, same_classes
from nncli.export.export import PROBED, TOLERANCES, compared, data_of, form_of
from nncli.export.files import Exported, open_file, read_card
from nncli.export.own import require_own
from nncli.export.probe import probe
from nncli.run import folder
from nncli.run.assemble import SECTIONS, Parts, build_task, load_data, place_data, section
from nncli.run.checkpoint import digest_of
from nncli.run.eval import described, evaluate
from nncli.run.model import Model, load
from nncli.run.placement import place
from nncli.run.restore import ALONE, HERE, MOVABLE

NO_NET = {"_target_": "torch.nn.Identity"}


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong because of values in a file's metadata is told as that."""
    try:
        yield
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, RuntimeError) as error:
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise NnError(f"{path} cannot be compared by its metadata: {why}; export the run again") from error


def recheck(
    path: Path,
    words: Sequence[str] = (),
    *,
    trusted: bool = False,
    tolerance: float | None = None,
    fast: bool = False,
    trust: Collection[str] = (),
) -> dict[str, Any]:
    """The report on an exported file, wherever it is now; by its own tolerance if none is given."""
    card, one = read_card(path), formats.of_file(path)
    if one.RUNS_CODE and not trusted:
        require_own(path)
    if tolerance is None:
        tolerance = card.get("tolerance", TOLERANCES.get(card["precision"]))
    report: dict[str, Any] = {"file": str(path), "run": card["run"], "weights": card["weights"]}
    model, why = _run_of(card, trust)
    with _told(path):
        if model is not None:
            form = form_of(model.task, card["form"])
            config = _checked(model.run.config, words, trust) if words else model.config
            return report | compared(path, one, model, form, tolerance, data_of(config, model), fast=fast)
        return report | _by_card(open_file(path, trusted=trusted), why, tolerance, words, trust)


def _by_card(
    file: Exported, why: str, tolerance: float | None, words: Sequence[str], trust: Collection[str]
) -> dict[str, Any]:
    """The report on a file whose run is not here: by the answers and metrics that it carries."""
    card, gap = file.card, Comparison()
    answers = file(probe(card, PROBED))[card["outputs"][0]["name"]]
    gap.add(np.asarray(card["answers"], dtype=np.float32), np.asarray(answers, dtype=np.float32))
    report = {
        "samples": f"{PROBED} made-up samples, by the answers in the file; {why}",
        "largest_difference": gap.largest,
        "mean_difference": gap.total / gap.numbers,
        "allowed_difference": None if tolerance is None else tolerance * max(1.0, gap.scale),
        "monitored": {},
    }
    if card["form"] != "predict":
        return report
    try:
        parts = _parts_of(file, words, trust)
    except NnError as error:
        return report | {"not_compared": f"metrics, as the data cannot be loaded: {error}"}
    before = card["metrics"]
    after = measured(parts.task, "predict", _predict(file), parts.data, fast=bool(card.get("fast")))
    metrics = {
        name: ({"before": before[name]} if name in before else {}) | {"after": value} for name, value in after.items()
    }
    return report | {
        "same_classes": same_classes(card, parts.data),
        "metrics": metrics,
        "monitored": monitored(parts.task, metrics) if tolerance is None else {},
    }


def judged_file(
    path: Path,
    words: Sequence[str] = (),
    *,
    part: Literal["train", "val", "test"] = "test",
    trusted: bool = False,
    trust: Collection[str] = (),
) -> dict[str, Any]:
    """The metrics of an exported file on a part of its run's data, or of other data of the same form."""
    file = open_file(path, trusted=trusted)
    if file.card["form"] != "predict":
        raise NnError(f"{path} returns {file.card['outputs'][0]['name']}, which cannot be evaluated")
    with _told(path):
        parts = _parts_of(file, words, trust)
        if not same_classes(file.card, parts.data):
            raise NnError(f"{path}: its names of classes are not those of the data, in this order")
        return described(parts, part, *evaluate(parts, part, _predict(file)))


def _parts_of(file: Exported, words: Sequence[str], trust: Collection[str]) -> Parts:
    """The data of a file's run, and its task without a net."""
    config, facts = _config_of(file, words, trust), dict(file.card["facts"])
    data, task = load_data(config, facts), build_task(config, facts)
    for name, value in file.card["buffers"].items():
        task.get_buffer(name).copy_(torch.tensor(value))
    settings = section(config, "trainer")
    parts = Parts(data, task, place(settings), settings)
    place_data(config, parts)
    return parts


def _predict(file: Exported) -> Callable[[Tensor], Tensor]:
    name = file.card["outputs"][0]["name"]
    return lambda x: torch.from_numpy(np.asarray(file(x.contiguous().numpy())[name]))


def _run_of(card: dict[str, Any], trust: Collection[str]) -> tuple[Model | None, str]:
    """The run that a file was exported from, if its folder is here and has the same weights; else why not."""
    name, which = card["run"], "last" if card.get("which") == "last" else "best"
    try:
        run = folder.find(name)
    except NnError:
        return None, f"{name} is not here"
    try:
        if digest_of(run.checkpoints / f"{which}.ckpt") != card["weights"]:
            return None, f"{name} has other weights now"
        return load(run.path, which=which, trust=trust), ""
    except (NnError, OSError) as error:
        return None, f"{name} cannot be loaded: {error}"


def _config_of(file: Exported, words: Sequence[str], trust: Collection[str]) -> Config:
    """The config in a file, checked like any other, with the file in place of its net."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(file.card["config"], encoding="utf-8")
        try:
            return _checked(path, words, trust)
        except ConfigError as error:
            found = [
                replace(one, where=one.where.replace(str(path), file.name), text=one.text.replace(str(path), file.name))
                for one in error.problems
            ]
            raise ConfigError(found, error.see) from error


def _checked(path: Path, words: Sequence[str], trust: Collection[str]) -> Config:
    first, allowed = (*HERE, "trainer.accelerator=cpu"), (*MOVABLE, *ALONE)
    config = load_frozen(path, [*first, *words], allowed=allowed, trust=trust)
    tree = config.tree.copy()
    tree.pop("logger", None)
    tree["model"] = NO_NET
    if problems := check(replace(config, tree=tree), SECTIONS, trains=False):
        raise ConfigError(problems)
    return replace(config, tree=tree)
