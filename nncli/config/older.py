"""Frozen configs of older versions, brought to the form of this one."""

from collections.abc import Mapping
from typing import Any

from nncli.config.slots import slot_of

_SECTIONS = ("regularization", "trainer", "loader", "checkpoint")
_GONE = ("task.mode", "task.optimizer", "task.scheduler", "task.groups", "task.updates", "updates.", "scheduler.mode")


# modules that a config may name a class of, and where they are now
MOVED = {
    "nncli.data.arrays": "nncli.data.sources.arrays",
    "nncli.data.books": "nncli.data.sources.books",
    "nncli.data.cifar10": "nncli.data.sources.cifar10",
    "nncli.data.cifar100": "nncli.data.sources.cifar100",
    "nncli.data.ett": "nncli.data.sources.ett",
    "nncli.data.folder": "nncli.data.images.folder",
    "nncli.data.huggingface": "nncli.data.sources.huggingface",
    "nncli.data.idx": "nncli.data.sources.idx",
    "nncli.data.points": "nncli.data.sources.points",
    "nncli.data.scikit": "nncli.data.sources.scikit",
    "nncli.data.sequences": "nncli.data.sources.sequences",
    "nncli.data.series": "nncli.data.series.series",
    "nncli.data.shapes": "nncli.data.sources.shapes",
    "nncli.data.synthetic": "nncli.data.sources.sine",
    "nncli.data.table": "nncli.data.tables.table",
    "nncli.data.text": "nncli.data.text.text",
}


def moved(target: str) -> str:
    """The name that a class has now."""
    module, dot, name = target.rpartition(".")
    return f"{MOVED.get(module, module)}{dot}{name}"


def _follow(node: Any) -> None:
    """Give every class that a tree names its present name."""
    if isinstance(node, dict) and isinstance(target := node.get("_target_"), str):
        node["_target_"] = moved(target)
    if isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            _follow(inner)


def bring_up_to_date(tree: dict[str, Any]) -> None:
    """Tasks took an optimizer, a schedule and groups one by one, and the monitored metric's direction."""
    _follow(tree)
    task = tree.get("task")
    if not isinstance(task, dict) or "updates" in tree or "optimizer" not in task:
        return
    names = [key for key, node in tree.items() if isinstance(node, dict) and "_target_" in node and not slot_of(key)]
    for key in names:
        tree[f"model_{key}"] = tree.pop(key)
    for name, value in task.items():
        task[name] = next((f"${{model_{key}}}" for key in names if value == f"${{{key}}}"), value)
    taken = {name: task.pop(name) for name in ("optimizer", "scheduler", "groups") if name in task}
    task.pop("mode", None)
    task["updates"] = "${updates}"
    tree["updates"] = {"_target_": "nncli.optim.updates.Updates", **taken}
    scheduler = tree.get("scheduler")
    if isinstance(scheduler, dict) and str(scheduler.get("_target_")).endswith("ReduceLROnPlateau"):
        scheduler.pop("mode", None)


def identity(values: Mapping[str, str]) -> dict[str, str]:
    """The values of a config, key by key, without what only its form decides: equal for a run of before and now."""
    found = {}
    for key, value in values.items():
        first, dot, rest = key.partition(".")
        if key.startswith(_GONE):
            continue
        if dot and not slot_of(first) and first not in _SECTIONS:
            first = f"model_{first}"
        found[f"{first}{dot}{rest}"] = (
            "" if value.startswith("${") else moved(value) if key.endswith("_target_") else value
        )
    return found
