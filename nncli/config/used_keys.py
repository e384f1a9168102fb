"""Which keys of a config have an effect: those that are built, and those they refer to."""

from collections.abc import Collection, Mapping
from typing import Any, cast

from omegaconf import OmegaConf

from nncli.config.compose import Config
from nncli.config.origin import spelled
from nncli.config.reference import at, leaves, locate_parent, targets
from nncli.config.slots import ROOTS, slot_of

_NEUTRAL = (None, 0, False, "", [], {})


def read_keys(tree: Mapping[str, Any], sections: Collection[str] = ()) -> set[str]:
    """Keys that are read: those of the components that nn builds, and all that these refer to.

    Without sections, from every key of the tree: all that anything refers to.
    """
    waiting = [key for key in tree if not sections or key in ROOTS or key in sections]
    found = set(waiting) if sections else set[str]()
    seen = set(waiting)
    while waiting:
        key = waiting.pop()
        for leaf, value in leaves(at(tree, key), key):
            for target in targets(value, leaf):
                place = locate_parent(tree, target)
                found.add(place)
                if place not in seen:
                    seen.add(place)
                    waiting.append(place)
    return found


def unread(config: Config) -> list[str]:
    """Values that a recipe or a choice sets and nothing here reads, as notes for the person."""
    tree = cast(dict[str, Any], OmegaConf.to_container(config.tree, resolve=False))
    reached = read_keys(tree)
    partly = {key.partition(".")[0] for key in reached if "." in key}
    notes = []
    for key, value in leaves(tree):
        section, origin = key.partition(".")[0], config.origins.get(key)
        if value in _NEUTRAL or not origin or origin.kind == "word" or key in reached or section in reached:
            continue
        knobs = isinstance(tree[section], dict) and not slot_of(section) and "_target_" not in tree[section]
        # in a frozen config nothing refers to these any more: the values are written where they are used
        if knobs and section in partly:
            notes.append(f"{key} = {spelled(value)} ({origin.where}) has no effect: nothing in this config reads it")
    return notes
