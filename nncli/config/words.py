"""What a person types, as choices and values; every word that cannot be used is reported."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from nncli.config import search_path
from nncli.config.nearest import guess, listed, nearest
from nncli.config.origin import spelled
from nncli.config.reference import IMPURE, impure, texts
from nncli.errors import Fault, Problem

LONGEST = 10_000  # characters of a word
TOGETHER = 100_000  # characters of all words
ITEMS = 1000  # commas in a word: Hydra's grammar takes the square of their number
CHOICES = 50  # of groups; Hydra follows all defaults lists again for each that does not fit
DEEPEST = 20  # nested brackets or keys
TYPED = "you typed it"
EXAMPLE = ", for example optimizer.lr=0.01"
NOT_TEXT = "contains characters that are not text"


@dataclass
class Words:
    """The parsed words of one command line."""

    recipe: str | None = None
    overrides: list[Override] = field(default_factory=list)
    searched: list[Override] = field(default_factory=list)  # with several values, for a sweep
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, word: str, fault: Fault) -> None:
        key, _, value = word.partition("=")
        self.problems.append(Problem(key[:200], value[:200], TYPED, *fault))


def parse(words: Sequence[str], *, searched: bool = False) -> Words:
    """`recipe=` taken out, every other word parsed by Hydra's grammar; what cannot be parsed is a problem.

    Words with several values are problems too, unless a sweep has `searched` for them.
    """
    found = Words()
    parser = OverridesParser.create()
    spent = 0
    for word in words:
        spent += len(word)
        if spent > TOGETHER:
            text = f"the command line has more than {TOGETHER:,} characters in all; put values into a recipe"
            found.refuse(word, ("too-large", text))
            break
        if word.startswith("recipe="):
            if found.recipe is not None:
                found.refuse(word, ("duplicate", "only one recipe can be used, and another is named before this one"))
            found.recipe = word.removeprefix("recipe=")
        elif fault := _form(word):
            found.refuse(word, fault)
        else:
            try:
                override = parser.parse_override(word)
            except (HydraException, RecursionError, ValueError, OverflowError):
                found.refuse(word, ("invalid-override", _unreadable(word, searched=searched)))
                continue
            if searched and override.is_sweep_override():
                found.searched.append(override)
            elif fault := _meaning(override):
                found.refuse(word, fault)
            else:
                found.overrides.append(override)
    return found


def _form(word: str) -> Fault | None:
    """Why a word cannot be read at all."""
    key = word.partition("=")[0].lstrip("+~")
    if len(word) > LONGEST:
        return "too-large", f"is longer than {LONGEST:,} characters; put the value into a recipe"
    if word.count(",") > ITEMS:
        return "too-large", f"has more than {ITEMS:,} commas; put the value into a recipe"
    if any((c < " " and c not in "\t\n") or "\ud800" <= c <= "\udfff" for c in word):
        return "invalid-override", NOT_TEXT
    if word.count("[") + word.count("{") + word.count("(") > DEEPEST and _depth(word) > DEEPEST:
        return "too-large", f"has brackets nested more than {DEEPEST} levels deep"
    if key.count(".") > DEEPEST:
        return "too-large", f"a key can have at most {DEEPEST} dots"
    if "=" not in word and not word.startswith("~"):
        meant = f". Did you mean recipe={word}?" if word in search_path.recipes() else EXAMPLE
        return "invalid-override", f"must have the form key=value{meant}"
    if key == "hydra" or key.startswith(("hydra.", "hydra/", "hydra@")) or "@hydra" in key:
        return "reserved-key", "Hydra's own settings cannot be changed"
    return None


def _depth(word: str) -> int:
    deepest = depth = 0
    for c in word:
        depth += (c in "[{(") - (c in "]})")
        deepest = max(deepest, depth)
    return deepest


def _unreadable(word: str, *, searched: bool) -> str:
    text = _quoting(word)
    if not searched or not re.match(r"(\w+\(|.*,)", word.partition("=")[2]):
        return text
    return "cannot be parsed. To search, type 16,32 or range(1,5) or interval(0,0.5) or tag(log,interval(1e-4,0.1))"


def _quoting(word: str) -> str:
    key, _, value = word.partition("=")
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    if not key.strip("+~") or ".." in key or any(c in key for c in " \t\n'\"[]{}()"):
        return f"must have the form key=value{EXAMPLE}"
    return f"cannot be parsed. Put text with spaces, commas or brackets into two kinds of quotes: '{key}=\"{quoted}\"'"


def _meaning(override: Override) -> Fault | None:
    """Why a word that Hydra can read is not accepted."""
    if override.is_sweep_override():
        return (
            "invalid-override",
            "must be one value; for a list, put brackets around the values; to search among them: nn sweep",
        )
    if any(impure(text) for text in texts([override.key_or_group, override.package or "", override.value()])):
        return IMPURE
    return ("invalid-override", NOT_TEXT) if any(_unfit(text) for text in texts(override.value())) else None


def _unfit(text: str) -> bool:
    return any((c < " " and c not in "\t\n") or "\x7f" <= c <= "\x9f" for c in text)


def split(overrides: Sequence[Override], among: Sequence[Path]) -> tuple[list[Override], list[Override], list[Problem]]:
    """(group choices that exist, value words, problems of choices that do not)."""
    choices: dict[str, Override] = {}
    values: list[Override] = []
    problems: list[Problem] = []
    for override in overrides:
        group, value = override.key_or_group, override.value()
        there = search_path.options(group, among) if "." not in group else []
        is_choice = override.package is not None or "/" in group or (there and not isinstance(value, dict))
        if not is_choice:
            values.append(override)
            continue
        fault = _bad_choice(override, group, there, among)
        key = override.get_key_element().lstrip("+~")
        if not fault and key in choices:
            fault = "duplicate", f"is chosen twice; you also typed {choices[key].input_line}"
        elif not fault and len(choices) == CHOICES:
            fault = "too-large", f"at most {CHOICES} choices can be typed; put them into the defaults list of a recipe"
        if fault:
            problems.append(Problem(key, shown(value), TYPED, *fault))
        else:
            choices[key] = override
    return list(choices.values()), values, problems


def _bad_choice(override: Override, group: str, there: Sequence[str], among: Sequence[Path]) -> Fault | None:
    value = override.value()
    if not there:
        near = nearest(group, search_path.groups(among))
        return "unknown-key", f"no such group of choices.{f' Did you mean {near}={shown(value)}?' if near else ''}"
    if override.is_delete() and value in (None, ""):
        return None
    if override.is_force_add():
        return "invalid-override", f"type {group}=… to make a choice, or +{group}=… to add one"
    named = value if isinstance(value, list) else [value]
    wrong = [
        v for v in named if not isinstance(v, str) or (v not in there and not search_path.find(f"{group}/{v}", among))
    ]
    if wrong or not named:
        bad = shown(wrong[0]) if wrong else ""
        return "unknown-choice", f"no such {group}. {guess(bad, there)}The choices are: {listed(there)}"
    return None


def shown(value: Any) -> str:
    return "" if value is None else spelled(value)[:200]


def is_fixed(key: str, allowed: Collection[str] | None) -> bool:
    """Whether a key of a run's config must stay as it is: changing it would make the run's record untrue."""
    return allowed is not None and not any(fnmatchcase(key, pattern) for pattern in allowed)
