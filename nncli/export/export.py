"""Export a run: write a file, compare it with the run, and only then give it its name."""

import copy
import glob
import json
import os
import shutil
import warnings
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import torch

from nncli.config.compose import Config
from nncli.contracts import Form
from nncli.errors import NnError, reason
from nncli.export import formats, own, quantize
from nncli.export.acceptance import accept, failures, measured
from nncli.export.card import card, example
from nncli.export.files import Exported, read_card
from nncli.export.formats import Format, Options, safetensors
from nncli.export.half import half
from nncli.export.probe import probe
from nncli.output import as_json, finite
from nncli.run.assemble import load_data
from nncli.run.files import is_alive, sync_folder, write_atomic
from nncli.run.model import Model, load
from nncli.run.quiet import quiet_libraries

TOLERANCES = {"32": 1e-4, "16": 1e-2}  # of the largest answer, or of 1, by precision; int8 is judged by its metrics
PLAIN = Options()
PROBED = 4  # made-up samples whose answers a file carries


def export(
    run: str | Path,
    to: str,
    out: Path | None = None,
    *,
    which: Literal["best", "last"] = "best",
    form: str = "predict",
    options: Options = PLAIN,
    tolerance: float | None = None,
    fast: bool = False,
    timed: bool = True,
    trust: Collection[str] = (),
) -> dict[str, Any]:
    """Export a form of a run; returns the report of its acceptance, which is also written beside the file."""
    model = load(run, which=which, trust=trust)
    path = ready(model, to, out, form, options)
    return written(model, to, path, form=form, options=options, tolerance=tolerance, fast=fast, timed=timed)


def ready(
    model: Model, to: str, out: Path | None, form: str, options: Options = PLAIN, *, pruned: str | None = None
) -> Path:
    """The file that an export will have; raises NnError for what can be known to fail before it begins.

    `pruned` is the name of the new run that will be exported instead of this one.
    """
    one = formats.named(to)
    formats.refuse(to, options)
    quantize.refuse(to, options)
    one.require(options)
    form_of(model.task, form)
    how = f"_{options.quantize}" if options.quantize else ""
    path = out or Path(f"{pruned or model.config.name}{how}{one.SUFFIX}")
    may_replace(path, one, None if pruned else model.run.name)
    return path


def written(
    model: Model,
    to: str,
    path: Path,
    *,
    form: str,
    options: Options,
    tolerance: float | None,
    fast: bool,
    timed: bool = True,
) -> dict[str, Any]:
    """The report on a file that is written and compared with the model, and then gets its name."""
    one, reference = formats.named(to), form_of(model.task, form)
    _sweep_up(path)
    data, why = data_of(model.config, model)
    about = card(model, form, reference, options)
    about["metrics"] = measured(model.task, form, reference.module, data, fast=fast)
    about["fast"] = fast
    with torch.inference_mode():
        about["answers"] = reference.module(torch.from_numpy(probe(about, PROBED))).tolist()
    temporary = path.with_name(f".{os.getpid()}.tmp.{path.name}")
    if tolerance is None:
        tolerance = TOLERANCES.get(about["precision"])
    about["tolerance"] = tolerance
    about = cast(dict[str, Any], finite(about))
    if options.quantize == "static":
        options = replace(options, samples=quantize.calibration(data, why, options.batch))
    try:
        with quiet_libraries(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporters, about one another
            notes = one.write(_copied(model, form, options), example(about, options), about, temporary, options)
        report = {"file": str(path), **_described(temporary, to, about, notes)}
        report |= compared(temporary, one, model, reference, tolerance, (data, why), fast=fast, timed=timed)
        if wrong := failures(report):
            raise NnError(f"{path} was not written: {'; '.join(wrong)}")
        if one.RUNS_CODE:
            own.remember(temporary)
        beside = temporary.with_name(f"{temporary.name}.json")
        write_atomic(beside, (as_json(report, indent=2) + "\n").encode())
        may_replace(path, one, model.run.name)  # a file may have come in between
        put(temporary, path)
        os.replace(beside, report_of(path))
    except OSError as error:
        raise NnError(f"{path} was not written: {reason(error)}") from error
    finally:
        for left in path.absolute().parent.glob(f"{glob.escape(temporary.name)}*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return report


def report_of(path: Path) -> Path:
    """Where the report on an exported file is."""
    return Path(f"{path}.json")


def may_replace(path: Path, one: Format, run: str | None) -> None:
    """Raise NnError unless a file of this name can be written: none is there, or an earlier export of this run."""
    if not path.name.endswith(one.SUFFIX):
        raise NnError(f"--out is {path}; a file of this format ends in {one.SUFFIX}")
    folder = path.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        why = "cannot be written to" if folder.is_dir() else "does not exist"
        raise NnError(f"--out is {path}: the folder {path.parent} {why}")
    if os.path.lexists(report_of(path)) and not _is_report(report_of(path)):
        raise NnError(
            f"{report_of(path)} exists and is no report of nn; name another file with --out, or delete this one"
        )
    if not os.path.lexists(path):
        return
    try:
        there = "" if path.is_symlink() else read_card(path)["run"]
    except NnError:
        there = ""
    if there != run:
        what = f"is an export of {there}" if there else "was not exported by nn"
        raise NnError(f"{path} exists and {what}; name another file with --out, or delete this one")


def _is_report(path: Path) -> bool:
    """Whether this is a report on an exported file."""
    try:
        found = None if path.is_symlink() else json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"file", "run", "allowed_difference"} <= found.keys()


def put(temporary: Path, path: Path) -> None:
    """Give a finished file, or folder, its name."""
    for written in [temporary] if temporary.is_file() else temporary.iterdir():
        with written.open("rb") as opened:
            os.fsync(opened.fileno())
    if path.is_dir():  # which cannot be replaced in one step; the user's own files in it are kept
        for file in [file for file in path.iterdir() if not (temporary / file.name).exists()]:
            (shutil.copytree if file.is_dir() else shutil.copy2)(file, temporary / file.name)
        os.replace(path, old := temporary.with_name(f"{temporary.name}.old"))
        try:
            os.replace(temporary, path)
        except BaseException:
            os.replace(old, path)
            raise
    else:
        os.replace(temporary, path)
    sync_folder(path.absolute().parent)


def form_of(task: Any, name: str) -> Form:
    """A form of a task, ready to be used."""
    forms = task.forms()
    if name not in forms:
        raise NnError(f"--form is {name}; {type(task).__name__} has {', '.join(forms)}")
    forms[name].module.eval()
    return forms[name]


def compared(
    path: Path,
    one: Format,
    model: Model,
    form: Form,
    tolerance: float | None,
    data: tuple[Any, str],
    *,
    fast: bool = False,
    timed: bool = True,
) -> dict[str, Any]:
    """The report on a file of a run whose folder is here; the data is None, with the reason, if it is not."""
    if not one.COMPUTES:
        gap = safetensors.difference(path, form)
        return {"samples": "its tensors", "largest_difference": gap, "allowed_difference": tolerance}
    file, why = Exported(path, one.card(path), one.load(path)), data[1]
    report = accept(file, model.task, form, data[0], tolerance=tolerance, fast=fast, timed=timed)
    return report | ({"not_compared": f"metrics, as the data cannot be loaded: {why}"} if why else {})


def data_of(config: Config, model: Model) -> tuple[Any, str]:
    """The data of a config, or why it cannot be loaded."""
    try:
        return load_data(config, dict(model.task.facts)), ""
    except (NnError, OSError) as error:
        return None, str(error)


def _sweep_up(path: Path) -> None:
    """Remove the drafts of this file that killed processes have left."""
    for left in path.absolute().parent.glob(f".*.tmp.{glob.escape(path.name)}*"):
        pid = left.name.split(".")[1]
        if pid.isdecimal() and not is_alive(int(pid)):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def _copied(model: Model, name: str, options: Options) -> Form:
    """The form on a copy of the task, in the precision of the options."""
    task = copy.deepcopy(model.task)
    if options.half:
        half(task)
    return form_of(task, name)


def _described(path: Path, to: str, about: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    kept = {key: about[key] for key in ("run", "form", "weights", "commit", "version", "precision")}
    return {"format": to, **kept, "bytes": sum(file.stat().st_size for file in files), "notes": notes}
