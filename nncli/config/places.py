"""Where a run may write and what it may send: only to its own folder, unless a person, not a file, says otherwise."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nncli.config.compose import Config
from nncli.config.nearest import listed
from nncli.config.origin import source, spelled
from nncli.errors import Code, ConfigError, Problem
from nncli.files import lies_in, named
from nncli.paths import CHECKPOINTS, PLOTS, RUN_FILES, RUN_MARKER

# the arguments that a config may set of the loggers that it can name
NAMES = {
    "name",
    "version",
    "sub_dir",
    "id",
    "run_id",
    "run_name",
    "experiment_name",
    "project",
    "prefix",
    "group",
    "tags",
}
TAKES: Mapping[str, set[str]] = {
    "TensorBoardLogger": {"name", "version", "sub_dir", "prefix", "default_hp_metric", "log_graph", "max_queue"}
    | {"flush_secs"},
    "MLFlowLogger": {"experiment_name", "run_name", "run_id", "prefix", "tags", "log_model", "synchronous"}
    | {"tracking_uri"},
    "WandbLogger": {"name", "version", "id", "project", "group", "prefix", "offline", "anonymous", "log_model"}
    | {"entity", "job_type", "notes", "tags"},
}
FOLDERS = {"name", "version", "sub_dir"}  # arguments of TensorBoard's that become folders in the run's folder
TAKEN = {*RUN_FILES, RUN_MARKER, CHECKPOINTS, PLOTS}
LONGEST, LONGEST_PART = 1000, 200  # bytes of a name, and between two slashes in it
SERVER = re.compile(r"https?://[^/\s]+(?:/\S*)?")
ADDRESS = "tracking_uri"
SERVER_KEY, OFFLINE = f"logger.{ADDRESS}", "logger.offline"


def misplaced(tree: Mapping[str, Any]) -> Iterator[tuple[str, Code, str]]:
    """(key, code, what is allowed) of each argument of a logger that could write outside the run's folder."""
    logger = tree.get("logger")
    target = str(logger.get("_target_", "")) if isinstance(logger, dict) else ""
    if not target.startswith("lightning.") or not isinstance(logger, dict):
        return  # a class of the person's own; its folder is checked when it is built
    kind = target.rpartition(".")[2]
    if kind not in TAKES:
        text = f"cannot be used, as nn does not know where it writes; choose {listed(sorted(TAKES))}"
        yield "logger._target_", "outside-run", text
        return
    takes = TAKES[kind]
    for name, value in logger.items():
        if name.startswith("_") or name == "save_dir":
            continue
        if name not in takes:
            text = "cannot be set, as a logger writes to the run's folder only; these can be set: "
            yield f"logger.{name}", "outside-run", text + listed(sorted(takes), 20)
        elif name == ADDRESS and value is not None and not SERVER.fullmatch(str(value)):
            text = "must be null, which keeps the data in the run's folder, or the address of a server: http(s)://…"
            yield f"logger.{name}", "outside-run", text
        elif name in NAMES and not all(map(_beneath, _texts(value))):
            text = "must be a name without .., :, $, ~ or a leading /, as it may become part of a path"
            yield f"logger.{name}", "outside-run", text
        elif name in NAMES and any(map(_is_long, _texts(value))):
            text = f"must be shorter: file systems allow about {LONGEST_PART} letters in a name"
            yield f"logger.{name}", "wrong-value", text
        elif kind == "TensorBoardLogger" and name in FOLDERS and _first(value) in TAKEN:
            text = f"must be another name: nn itself writes {_first(value)} in the run's folder"
            yield f"logger.{name}", "wrong-value", text


def untyped(config: Config) -> list[Problem]:
    """The settings that lead out of the run's folder, or off the machine, and that no person typed."""
    found = []
    for key, value, what in _outward(config.tree):
        said = key if key in config.origins or key != OFFLINE else "logger._target_"  # which sends by default
        origin = source(config.origins, said)
        if (origin and origin.kind == "word") or (key == OFFLINE and _chosen(config)):
            continue
        if key == SERVER_KEY and value == os.environ.get("MLFLOW_TRACKING_URI"):
            continue
        text = f"a file cannot decide {what}: type {key}={named(str(spelled(value)))} if you want it"
        text += f", or {OFFLINE}=true to keep it in the run's folder" if key == OFFLINE else ""
        found.append(Problem(key, spelled(value)[:200], origin.where if origin else "", "must-be-typed", text))
    return found


def outward(config: Config) -> list[str]:
    """The words for what only a person may decide of a logger, for the processes that train this config elsewhere."""
    found = ((key, value) for key, value, _ in _outward(config.tree) if key != "run_dir")
    return [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in found]


def _outward(tree: Any) -> Iterator[tuple[str, Any, str]]:
    """(key, value, what it decides) of every setting that leads out of a run's folder."""
    if tree.get("run_dir") is not None:
        yield "run_dir", tree["run_dir"], "where a run is stored"
    logger = tree.get("logger") or {}
    if logger.get(ADDRESS) is not None:
        yield SERVER_KEY, logger[ADDRESS], "which server a run is reported to"
    if str(logger.get("_target_", "")).endswith(".WandbLogger"):
        if logger.get("offline") is not True:
            yield OFFLINE, False, "whether a run is sent to Weights & Biases"
        if logger.get("entity") is not None:
            yield "logger.entity", logger["entity"], "which account a run is sent to"
        if logger.get("log_model"):
            yield "logger.log_model", logger["log_model"], "whether weights are sent to Weights & Biases"


def _chosen(config: Config) -> bool:
    """Whether a person typed the choice of the logger."""
    return any(word.lstrip("+").partition("=")[0] == "logger" for word in config.words)


def confine(logger: Any, folder: str, config: Config) -> None:
    """Refuse a logger that would write outside the run's folder, once all links are followed."""
    for name in ("save_dir", "root_dir", "log_dir"):
        place: Any = getattr(logger, name, None)
        if isinstance(place, str | Path) and place and not lies_in(place, folder):
            origin = source(config.origins, "logger._target_")
            text = f"would write to {named(place)}, which is not in the run's folder {named(folder)}"
            target = type(logger).__name__
            raise ConfigError([Problem("logger", target, origin.where if origin else "", "outside-run", text)])


def _texts(value: Any) -> list[str]:
    """The names that a value consists of: one, or several."""
    return [str(each) for each in value] if isinstance(value, list | dict) else [str(value or "")]


def _first(value: Any) -> str:
    """The first folder of a path, in lower case, as file systems that ignore case read it."""
    return next((part for part in re.split(r"[/\\]", str(value or "")) if part not in ("", ".")), "").lower()


def _is_long(text: str) -> bool:
    sizes = [len(part.encode(errors="replace")) for part in text.split("/")]
    return sum(sizes) > LONGEST or max(sizes) > LONGEST_PART


def _beneath(text: str) -> bool:
    """Whether a name stays inside the folder it is put into; variables and ~ are expanded in some of them."""
    parts = re.split(r"[/\\]", text)
    return ".." not in parts and not (text and not parts[0]) and not re.search(r"[$~:\0-\x1f]", text)
