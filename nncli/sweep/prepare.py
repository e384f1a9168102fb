"""From the words of a sweep to what it searches; and whether a sweep of this name is the same."""

import hashlib
import shlex
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from nncli.config import search_path
from nncli.config.compose import Config, compose, freeze
from nncli.config.hosting import refuse_hosted
from nncli.config.nearest import guess
from nncli.config.places import untyped
from nncli.config.recipes import Recipe
from nncli.config.recipes import read as read_recipe
from nncli.config.slots import target_class
from nncli.config.words import TYPED
from nncli.errors import NnError, Problem
from nncli.files import home
from nncli.paths import runs_dir, shown
from nncli.run.assemble import require
from nncli.sweep.record import read_facts
from nncli.sweep.settings import Settings
from nncli.sweep.settings import settings as read_settings
from nncli.sweep.space import Space, check, space, variants
from nncli.sweep.storage import public
from nncli.sweep.sweep import FACTS, Sweep, settled

GROWING = ("trials", "minutes", "patience", "workers", "retries", "fail", "storage")  # may change when it continues


def prepare(words: Sequence[str], trust: Collection[str] = ()) -> Sweep:
    """The sweep of these words, new or continued; raises NnError for what no trial could train."""
    settings, rest = read_settings(words)
    space = _space(settings, rest)
    first = check(space, trust)
    refuse_hosted(first, "nn sweep")
    config = require(settled(require(first, besides=[*untyped(first), *_own(words)])))
    for other in variants(space, first):
        require(other)
    if settings.method == "grid":
        next(space.grid())  # which an interval does not have
    elif settings.trials is not None and space.size() <= settings.trials:
        settings = replace(settings, method="grid")  # each once
    metrics, directions = _metrics(settings, config)
    folder = runs_dir() / (settings.name or f"{config.name}_sweep")
    facts: dict[str, Any] = {
        "words": _public(words, settings),
        "searched": _lasting(words),
        "settings": {key: value for key, value in asdict(settings).items() if key not in GROWING},
        "config": hashlib.sha256(freeze(config).encode()).hexdigest(),
        "fixed": space.fixed,
        "metrics": metrics,
        "directions": directions,
    }
    _require_same(folder, facts)
    recipe = _recipe(rest)
    minutes = recipe.claim.get("minutes") if recipe else None
    return Sweep(folder, settings, space, config, metrics, directions, facts, trust, minutes)


def _space(settings: Settings, words: Sequence[str]) -> Space:
    """What is searched: the words with several values, else what the recipe names, else what the way to search does."""
    found = space(words)
    if found.dimensions and not settings.space:
        return found
    recipe = _recipe(words)
    given = {word.lstrip("+").partition("=")[0] for word in words}
    if recipe is not None and not settings.space and recipe.space:
        return space([*words, *(word for word in recipe.space if word.partition("=")[0] not in given)])
    found = space([*words, *(word for word in settings.space if word.partition("=")[0] not in given)])
    there = set().union(*map(found.fitting, found.combinations()))
    found.keys = {key: one for key, one in found.keys.items() if key in there}  # a net need not have a width
    if not found.dimensions:
        require(compose(words))
        raise NnError(
            "there is nothing to search: give a key several values, such as model.width=16,32 or "
            "'optimizer.lr=tag(log,interval(1e-4,1e-1))', or take sweep=auto"
        )
    return found


def _recipe(words: Sequence[str]) -> Recipe | None:
    """The recipe that words name."""
    name = next((word.partition("=")[2] for word in words if word.startswith("recipe=")), "")
    path = search_path.recipes().get(name, home(name))
    return read_recipe(path) if name and path.is_file() else None


def _own(words: Sequence[str]) -> list[Problem]:
    """The words for what a sweep sets itself."""
    found = [word.lstrip("+").partition("=") for word in words]
    text = "is set for each trial; leave it out"
    own = [one for one in found if one[0] == "run_dir" or (one[0] == "test" and one[2] != "false")]
    return [Problem(key, value[:200], TYPED, "no-effect", text) for key, _, value in own]


def named(name: str) -> Path:
    """The folder of a sweep; raises NnError if there is none of this name."""
    found = sorted(path.parent for path in runs_dir().glob(f"*/{FACTS}"))
    for folder in (runs_dir() / name, Path(name).absolute()):
        if (folder / FACTS).is_file():
            return folder
    near = get_close_matches(name, [path.name for path in found], 1)
    hint = f" Did you mean {near[0]}?" if near else f" The sweeps are: {', '.join(p.name for p in found) or 'none yet'}"
    raise NnError(f"there is no sweep {name}.{hint}")


def words_of(folder: Path) -> list[str]:
    """The words that began a sweep."""
    return list(read_facts(folder / FACTS)["words"])


def _public(words: Sequence[str], settings: Settings) -> list[str]:
    """The words to be stored, without a password."""
    found = [word for word in words if word.partition("=")[0] != "sweep.storage"]
    return [*found, f"sweep.storage='{public(settings.storage)}'"] if settings.storage else found


def _lasting(words: Sequence[str]) -> list[str]:
    """The words that may not change when a sweep continues."""
    return [word for word in words if word.partition("=")[0] not in {f"sweep.{key}" for key in GROWING}]


def _require_same(folder: Path, facts: dict[str, Any]) -> None:
    """Raise NnError if a folder is that of a sweep with other words or configs, or of something else."""
    file = folder / FACTS
    if not file.is_file():
        other = folder.exists() and not (folder / "study.log").is_file()  # which knows what it belongs to
        if other and (not folder.is_dir() or any(folder.iterdir())):
            raise NnError(f"{shown(folder)} exists and is no sweep; choose another name: sweep.name=…")
        return
    there = read_facts(file)
    what = {"searched": "other words", "settings": "other settings", "config": "a recipe that has changed since"}
    if odd := [key for key in what if facts[key] != there.get(key)]:
        raise NnError(
            f"the sweep {folder.name} was begun with {what[odd[0]]}; to begin another one: sweep.name=…\n"
            f"  it was: nn sweep {shlex.join(there.get('words', []))}"
        )


def _metrics(settings: Settings, config: Config) -> tuple[list[str], list[str]]:
    """The names of what is compared, and whether lower (min) or higher (max) is better."""

    task = config.tree.task
    given = task.monitor if settings.metric == "auto" else settings.metric
    names = [given] if isinstance(given, str) else list(given)
    cls = cast(Any, target_class(task._target_, config.trust))
    known: dict[str, Any] = {f"val/{key}": better for key, better in cls.metrics.items()}
    known["parameters"] = "min"
    if len(names) > 1 and (settings.method == "cmaes" or settings.pruner != "none" or settings.patience is not None):
        raise NnError("two metrics cannot be compared by sweep=cmaes, nor with sweep.pruner or sweep.patience")
    if len(set(names)) < len(names):
        raise NnError(f"sweep.metric names a metric twice; compare different metrics: {', '.join(known)}")
    if odd := [name for name in names if name not in known]:
        raise NnError(f"sweep.metric is {odd[0]}. {guess(odd[0], known)}It can be {', '.join(known)}")
    return names, [known[name] for name in names]
