"""What a person types, as choices and values; every bad word is told."""

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
from nncli.errors import Problem

LONGEST = 10_000  # characters of a word
TOGETHER = 100_000  # characters of all words
ITEMS = 1000  # commas in a word: Hydra's grammar takes the square of their number
CHOICES = 50  # of groups; Hydra follows all defaults lists again for each that does not fit
DEEPEST = 20  # brackets, or keys, inside each other
TYPED = "you typed it"


@dataclass
class Words:
    """The parsed words of one command line."""

    recipe: str | None = None
    overrides: list[Override] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, word: str, text: str) -> None:
        key, _, value = word.partition("=")
        self.problems.append(Problem(key[:200], value[:200], TYPED, text))


def parse(words: Sequence[str]) -> Words:
    """`recipe=` taken out, every other word parsed by Hydra's grammar; what is no word of ours is a problem."""
    found = Words()
    parser = OverridesParser.create()
    spent = 0
    for word in words:
        spent += len(word)
        if spent > TOGETHER:
            found.refuse(word, f"all words together have more than {TOGETHER:,} characters; put values into a recipe")
            break
        if word.startswith("recipe="):
            if found.recipe is not None:
                found.refuse(word, "one recipe; an earlier word names another")
            found.recipe = word.removeprefix("recipe=")
        elif text := _form(word):
            found.refuse(word, text)
        else:
            try:
                override = parser.parse_override(word)
            except (HydraException, RecursionError, ValueError, OverflowError):
                found.refuse(word, _quoting(word))
                continue
            if text := _meaning(override):
                found.refuse(word, text)
            else:
                found.overrides.append(override)
    return found


def _form(word: str) -> str:
    """Why a word cannot be read at all."""
    key = word.partition("=")[0].lstrip("+~")
    if len(word) > LONGEST:
        return f"a word has at most {LONGEST:,} characters; put the value into a recipe"
    if word.count(",") > ITEMS:
        return f"a word has at most {ITEMS:,} commas; put the value into a recipe"
    if any((c < " " and c not in "\t\n") or "\ud800" <= c <= "\udfff" for c in word):
        return "holds characters that are no text"
    if word.count("[") + word.count("{") + word.count("(") > DEEPEST and _depth(word) > DEEPEST:
        return f"brackets more than {DEEPEST} deep"
    if key.count(".") > DEEPEST:
        return f"a key has at most {DEEPEST} dots"
    if "=" not in word and not word.startswith("~"):
        if word in search_path.recipes():
            return f"a word is key=value. Did you mean recipe={word}?"
        return "a word is key=value, for example optimizer.lr=0.01"
    if key == "hydra" or key.startswith(("hydra.", "hydra/", "hydra@")) or "@hydra" in key:
        return "Hydra's own settings cannot be changed"
    return ""


def _depth(word: str) -> int:
    deepest = depth = 0
    for c in word:
        depth += (c in "[{(") - (c in "]})")
        deepest = max(deepest, depth)
    return deepest


def _quoting(word: str) -> str:
    key, _, value = word.partition("=")
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    if not key.strip("+~") or any(c in key for c in " \t\n'\"[]{}()"):
        return "a word is key=value, for example optimizer.lr=0.01"
    return f"cannot be read. Text with spaces, commas or brackets stands in two kinds of quotes: '{key}=\"{quoted}\"'"


def _meaning(override: Override) -> str:
    """Why a word that Hydra can read is not accepted."""
    if override.is_sweep_override():
        return "one value; several are for nn sweep"
    if any(impure(text) for text in texts([override.key_or_group, override.package or "", override.value()])):
        return IMPURE
    if any(_unfit(text) for text in texts(override.value())):
        return "holds characters that are no text"
    return ""


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
        text = _bad_choice(override, group, there, among)
        key = override.get_key_element().lstrip("+~")
        if not text and key in choices:
            text = f"chosen twice; another word says {choices[key].input_line}"
        elif not text and len(choices) == CHOICES:
            text = f"there can be at most {CHOICES} choices; put them into the defaults list of a recipe"
        if text:
            problems.append(Problem(key, shown(value), TYPED, text))
        else:
            choices[key] = override
    return list(choices.values()), values, problems


def _bad_choice(override: Override, group: str, there: Sequence[str], among: Sequence[Path]) -> str:
    value = override.value()
    if not there:
        near = nearest(group, search_path.groups(among))
        return f"no such choice. Did you mean {near}={shown(value)}?" if near else "no such choice"
    if override.is_delete() and value in (None, ""):
        return ""
    if override.is_force_add():
        return f"a choice is made with {group}=… or added with +{group}=…"
    named = value if isinstance(value, list) else [value]
    wrong = [
        v for v in named if not isinstance(v, str) or (v not in there and not search_path.find(f"{group}/{v}", among))
    ]
    if wrong or not named:
        bad = shown(wrong[0]) if wrong else ""
        return f"no such {group}. {guess(bad, there)}There are: {listed(there)}"
    return ""


def shown(value: Any) -> str:
    return "" if value is None else spelled(value)[:200]


def fixed(key: str, allowed: Collection[str] | None) -> str:
    """Why a key of a finished run's config must stay as it is, unless it is allowed."""
    if allowed is None or any(fnmatchcase(key, pattern) for pattern in allowed):
        return ""
    return "changing it would make the run's record untrue; start a new run instead"
