"""Where a run may write: in its own folder, and where a person typed it; nowhere else because a file says so."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nncli.config.compose import Config
from nncli.config.nearest import listed
from nncli.config.origin import source, spelled
from nncli.errors import ConfigError, Problem
from nncli.files import lies_in, named

# what a config may say to the loggers that it can name; these arguments and no others
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
SERVER = re.compile(r"https?://[^/\s]+(?:/\S*)?")
ADDRESS = "tracking_uri"


def misplaced(tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, what is allowed) of each argument of a logger that could write outside the run's folder."""
    logger = tree.get("logger")
    target = str(logger.get("_target_", "")) if isinstance(logger, dict) else ""
    takes = TAKES.get(target.rpartition(".")[2]) if target.startswith("lightning.") else None
    if takes is None or not isinstance(logger, dict):
        return  # a class of the person's own; its folder is looked at when it is built
    for name, value in logger.items():
        if name.startswith("_") or name == "save_dir":
            continue
        if name not in takes:
            can = listed(sorted(takes), 20)
            yield (
                f"logger.{name}",
                f"cannot be set, as a logger writes in the run's folder alone; what can be set: {can}",
            )
        elif name == ADDRESS and value is not None and not SERVER.fullmatch(str(value)):
            yield f"logger.{name}", "must be null, which keeps a store in the run's folder, or a server: http(s)://…"
        elif name in NAMES and not all(map(_beneath, _texts(value))):
            yield f"logger.{name}", "must be a name without .., :, $, ~ or a leading /; it may become part of a path"


def untyped(config: Config) -> list[Problem]:
    """Places outside the run's folder that only a person can say, and did not type."""
    found = []
    for key, what in (("run_dir", "where a run is kept"), (f"logger.{ADDRESS}", "the server that hears of a run")):
        section, _, name = key.rpartition(".")
        node = config.tree.get(section) if section else config.tree
        value = node.get(name) if node else None
        origin = source(config.origins, key)
        if value is None or (origin and origin.kind == "word"):
            continue
        if name == ADDRESS and value == os.environ.get("MLFLOW_TRACKING_URI"):
            continue
        text = f"only you can say {what}, no file: type {key}={named(str(value))} if you want it"
        found.append(Problem(key, spelled(value)[:200], origin.where if origin else "", text))
    return found


def confine(logger: Any, folder: str, config: Config) -> None:
    """Refuse a logger that would write outside the run's folder, all links followed."""
    for name in ("save_dir", "root_dir", "log_dir"):
        place: Any = getattr(logger, name, None)
        if isinstance(place, str | Path) and place and not lies_in(place, folder):
            origin = source(config.origins, "logger._target_")
            text = f"would write to {named(place)}, which is not in the run's folder {named(folder)}"
            target = type(logger).__name__
            raise ConfigError([Problem("logger", target, origin.where if origin else "", text)])


def _texts(value: Any) -> list[str]:
    """A name, or each of several."""
    return [str(each) for each in value] if isinstance(value, list | dict) else [str(value or "")]


def _beneath(text: str) -> bool:
    """Whether a name stays in the folder it is put into; variables and ~ are replaced in some of them."""
    parts = re.split(r"[/\\]", text)
    return ".." not in parts and not (text and not parts[0]) and not re.search(r"[$~:\0-\x1f]", text)
