"""Frozen configs of older versions, brought to the form of this one."""

from collections.abc import Mapping
from typing import Any

from nncli.config.slots import slot_of

_SECTIONS = ("regularization", "trainer", "loader", "checkpoint")
_GONE = (
    *("task.mode", "task.optimizer", "task.scheduler", "task.groups", "task.updates", "updates", "scheduler.mode"),
    *("data.split._target_", "data.tokenizer._target_"),
)


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

# of each class of data the one that its section `split` builds; ETT has none, its parts are published
_SPLITS = {
    **dict.fromkeys(("Cifar10", "Cifar100", "Idx"), "Holdout"),
    **dict.fromkeys(("Counting", "Points", "Scikit", "Sequences", "Shapes"), "Shares"),
    **dict.fromkeys(("Book", "Series", "Sine"), "Ordered"),
    **dict.fromkeys(("Arrays", "Folder", "HuggingFace", "Table", "Text"), "Split"),
    "ETT": "",
}
# keys that stood in the data section itself, and where they are now
RENAMED = {
    "data.split": "data.split.method",
    "data.val_fraction": "data.split.val",
    "data.val_size": "data.split.val",
    "data.test_fraction": "data.split.test",
    "data.group": "data.split.group",
    "data.fold": "data.split.fold",
    "data.split_seed": "data.split.seed",
    "data.tokens": "data.tokenizer.tokens",
    "data.vocab_size": "data.tokenizer.vocab_size",
    "data.min_count": "data.tokenizer.min_count",
    "data.lowercase": "data.tokenizer.lowercase",
    "data.max_length": "data.tokenizer.max_length",
}
# keys that are gone, and what the person who gives one is told
_DIRECTION = "Leave it out: whether lower or higher is better is declared by the task's metrics. "
LEFT_OUT = {"task.mode": _DIRECTION, "scheduler.mode": _DIRECTION}


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


def _class(target: Any) -> str:
    """The class that a section of nn's own data builds; "" for any other."""
    name = str(target).rpartition(".")[2]
    return name if str(target).startswith("nncli.data.") and name in _SPLITS else ""


def _place(name: str, cls: str) -> str:
    """Where in the data section an argument stands now; "" for one that nothing read."""
    if name == "split_seed" and _SPLITS[cls] in ("Ordered", ""):
        return "seed" if cls == "Sine" else ""
    return RENAMED.get(f"data.{name}", f"data.{name}").removeprefix("data.")


def _nest(data: dict[str, Any]) -> None:
    """The arguments of splitting and of tokenizing stood beside the others."""
    cls = _class(data.get("_target_"))
    if not cls or isinstance(data.get("split"), dict):
        return
    targets = {"split": f"nncli.data.split.{_SPLITS[cls]}", "tokenizer": "nncli.data.text.tokens.Tokenizer"}
    before = dict(data)
    data.clear()
    for name, value in before.items():
        section, _, inner = _place(name, cls).partition(".")
        if inner:
            data.setdefault(section, {"_target_": targets[section]})[inner] = value
        elif section:
            data[section] = value
    if _SPLITS[cls] == "Ordered":
        data.setdefault("split", {"_target_": targets["split"]}).setdefault("fold", None)


def bring_up_to_date(tree: dict[str, Any]) -> None:
    """Tasks took an optimizer, a schedule and groups one by one, and the monitored metric's direction."""
    _follow(tree)
    if isinstance(data := tree.get("data"), dict):
        _nest(data)
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
    cls = _class(moved(values.get("data._target_", "")))
    for key, value in values.items():
        first, dot, rest = key.partition(".")
        if any(key == gone or key.startswith(f"{gone}.") for gone in _GONE):
            continue
        if first == "data" and cls:
            name, inner_dot, inner = rest.partition(".")
            rest = rest if name == "split" and inner else f"{_place(name, cls)}{inner_dot}{inner}"
            if not rest:
                continue
        if dot and not slot_of(first) and first not in _SECTIONS:
            first = f"model_{first}"
        found[f"{first}{dot}{rest}"] = (
            "" if value.startswith("${") else moved(value) if key.endswith("_target_") else value
        )
    return found
