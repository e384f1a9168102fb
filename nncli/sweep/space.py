"""What a sweep searches: keys with several values, in the words of Hydra's override grammar."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    RangeSweep,
    Sweep,
)

from nncli.config import search_path
from nncli.config.compose import Config, compose
from nncli.config.words import TYPED, parse
from nncli.errors import ConfigError, Fault, Problem

MOST = 1000  # values of one key that can be chosen from
DIGITS = 12  # after the decimal point, to which steps are rounded
COMBINED = 64  # combinations of groups up to which all are looked at before the first trial
Value = str | int | float
Picked = dict[str, Value]


@dataclass(frozen=True)
class Choice:
    """Any of some values, as they would be typed."""

    values: tuple[str, ...]

    def ends(self) -> Sequence[Value]:
        return self.values

    def __str__(self) -> str:
        return ", ".join(self.values)


@dataclass(frozen=True)
class Between:
    """Any number from `low` to `high`, or every `step` of them."""

    low: float
    high: float
    step: float | None = None
    log: bool = False
    whole: bool = False

    def ends(self) -> Sequence[Value]:
        """Both ends, and of an interval a number between, since a key that needs whole numbers takes only the ends."""
        between = () if self.whole or self.step else (self.low + (self.high - self.low) / 2**0.5,)
        return (self.low, self.high, *between)

    def values(self) -> list[Value] | None:
        """All of them, if there are steps."""
        if self.step is None:
            return None
        count = int((self.high - self.low) / self.step + 1e-9) + 1
        return [round(self.low + self.step * i, DIGITS) for i in range(count)]

    def __str__(self) -> str:
        step = f" in steps of {self.step:g}" if self.step is not None and self.step != 1 else ""
        return f"{self.low:g} to {self.high:g}{step}{', log' if self.log else ''}{', whole' if self.whole else ''}"


Dimension = Choice | Between


@dataclass
class Space:
    """The words that all trials share, the groups to choose from, and the keys with several values.

    A key that exists only with some choices is searched only with these.
    """

    fixed: list[str]
    groups: dict[str, Choice] = field(default_factory=dict)
    keys: dict[str, Dimension] = field(default_factory=dict)
    _fitting: dict[tuple[tuple[str, Value], ...], list[str]] = field(default_factory=dict, repr=False)

    @property
    def dimensions(self) -> dict[str, Dimension]:
        return {**self.groups, **self.keys}

    def words(self, picked: Mapping[str, Value]) -> list[str]:
        """The words of a trial."""
        return [*self.fixed, *(f"{key}={_typed(value)}" for key, value in picked.items())]

    def fitting(self, chosen: Mapping[str, Value]) -> list[str]:
        """The keys that exist with these choices of groups."""
        known = tuple(chosen.items())
        if known not in self._fitting:
            absent = {problem.key for problem in self._tried(chosen) if problem.code == "unknown-key"}
            self._fitting[known] = [key for key in self.keys if key.lstrip("+") not in absent]
        return self._fitting[known]

    def _tried(self, chosen: Mapping[str, Value]) -> list[Problem]:
        """What is wrong with a config of these choices and the first value of each key."""
        first = {key: dimension.ends()[0] for key, dimension in self.keys.items()}
        return list(compose(self.words({**chosen, **first})).problems)

    def grid(self) -> Iterator[Picked]:
        """Every combination; raises ConfigError if a key has no end of values."""
        for names in self._choices():
            chosen: Picked = dict(zip(self.groups, names, strict=True))
            keys = self.fitting(chosen)
            for values in product(*(_listed(key, self.keys[key]) for key in keys)):
                yield chosen | dict(zip(keys, values, strict=True))

    def size(self) -> float:
        """The number of combinations; infinite with an interval."""
        if any(isinstance(one, Between) and one.step is None for one in self.keys.values()):
            return math.inf
        chosen = [dict(zip(self.groups, names, strict=True)) for names in self._choices()]
        return sum(math.prod(len(_listed(key, self.keys[key])) for key in self.fitting(one)) for one in chosen)

    def _choices(self) -> Iterator[tuple[str, ...]]:
        return product(*(choice.values for choice in self.groups.values()))

    def combinations(self) -> list[Picked]:
        """The choices of groups to look at before the first trial: all, or of many each one beside the first others."""
        every = [choice.values for choice in self.groups.values()]
        if math.prod(map(len, every)) <= COMBINED:
            found = list(product(*every))
        else:
            first = [values[0] for values in every]
            found = [(*first[:at], one, *first[at + 1 :]) for at, values in enumerate(every) for one in values]
        return [dict(zip(self.groups, names, strict=True)) for names in dict.fromkeys(found)]


def space(words: Sequence[str]) -> Space:
    """The space that words describe; raises ConfigError with every word that is wrong."""
    typed = parse(words, searched=True)
    problems, found = list(typed.problems), Space([])
    single = {override.get_key_element(): override for override in typed.overrides}
    among = search_path.folders()
    for override in typed.searched:
        key, line = override.get_key_element(), (override.input_line or "").partition("=")[2]
        options = search_path.options(override.key_or_group, among) if "." not in override.key_or_group else []
        fault, dimension = _dimension(override, options)
        if key.startswith("data.split."):
            fault = "incompatible-value", "cannot be searched: each trial would be evaluated on other samples"
        if key in single or key in found.dimensions:
            fault = "duplicate", "is set twice; a key has one value or is searched"
        if fault:
            problems.append(Problem(key, line[:200], TYPED, *fault))
        elif options and isinstance(dimension, Choice):
            found.groups[key] = dimension
        elif dimension:
            found.keys[key] = dimension
    searched = {override.input_line for override in typed.searched}
    found.fixed = [word for word in words if word not in searched]
    if problems:
        raise ConfigError(problems)
    return found


def check(found: Space, trust: Collection[str] = ()) -> Config:
    """The config of the first trial; raises ConfigError for choices and keys that no trial could have."""
    problems = dict[tuple[str, str], Problem]()
    combinations = found.combinations()
    fits = [set(found.fitting(chosen)) for chosen in combinations]
    never = set(found.keys).difference(*fits) if fits else set()
    for chosen in combinations:
        for problem in found._tried(chosen):
            key = problem.key
            if key in found.keys and key not in never and problem.code == "unknown-key":
                continue  # searched only with other choices
            problems.setdefault((key, problem.code), problem)
    if problems:
        raise ConfigError(list(problems.values()))
    first = combinations[0]
    keys = {key: found.keys[key].ends()[0] for key in found.fitting(first)}
    return compose(found.words({**first, **keys}), trust=trust)


def variants(found: Space, first: Config) -> Iterator[Config]:
    """The configs with one other value each, or the other end of an interval, as far as they are few."""
    chosen = found.combinations()[0]
    keys = {key: found.keys[key].ends() for key in found.fitting(chosen)}
    picked = chosen | {key: ends[0] for key, ends in keys.items()}
    for key, value in [(key, value) for key, ends in keys.items() for value in ends[1:]][:COMBINED]:
        yield compose(found.words({**picked, key: value}), trust=first.trust)


def _dimension(override: Override, options: Sequence[str]) -> tuple[Fault | None, Dimension | None]:
    value = override.value()
    if isinstance(value, Sweep) and (odd := sorted(value.tags - {"log"})):
        return ("invalid-override", f"has the tag {odd[0]}; the only tag is log"), None
    match value:
        case ChoiceSweep():
            if any(isinstance(one, ChoiceSweep | RangeSweep | IntervalSweep) for one in value.list):
                text = "choices cannot contain ranges; give the values one by one"
                return ("invalid-override", text), None
            return _counted(tuple(dict.fromkeys(Override._get_value_element_as_str(one) for one in value.list)))
        case Glob():
            return _counted(tuple(value.filter(list(options))))
        case RangeSweep():
            return _stepped(value)
        case IntervalSweep():
            return _between(value)
    return ("invalid-override", "must be values with commas, choice(…), range(…) or interval(…)"), None


def _counted(values: tuple[str, ...]) -> tuple[Fault | None, Dimension | None]:
    if not values:
        return ("wrong-value", "has no value to choose from"), None
    return (("too-large", f"has more than {MOST:,} values"), None) if len(values) > MOST else (None, Choice(values))


def _stepped(value: Any) -> tuple[Fault | None, Dimension | None]:
    low, stop, step = float(value.start), float(value.stop), float(value.step)
    if not all(map(math.isfinite, (low, stop, step))) or step == 0 or (stop - low) / step <= 0:
        return ("wrong-value", "is an empty range; its end, which is not part of it, must lie beyond its start"), None
    count = math.ceil((stop - low) / step - 1e-9)
    if count > MOST:
        return ("too-large", f"has more than {MOST:,} values; take interval(…)"), None
    if "log" in value.tags and abs(step) != 1:
        return ("wrong-value", "has steps, which are no steps of a logarithm; take tag(log,int(interval(…)))"), None
    first, last = sorted((low, round(low + step * (count - 1), DIGITS)))
    whole = all(isinstance(one, int) for one in (value.start, value.stop, value.step))
    return None, Between(first, last, abs(step), "log" in value.tags, whole)


def _between(value: Any) -> tuple[Fault | None, Dimension | None]:
    low, high, log = float(value.start), float(value.end), "log" in value.tags
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        return ("wrong-value", "is an empty interval; its end must be larger than its start"), None
    if log and low <= 0:
        return ("wrong-value", "is logarithmic, so its start must be larger than 0"), None
    return None, Between(low, high, None, log, isinstance(value.start, int))


def _listed(key: str, dimension: Dimension) -> Sequence[Value]:
    values = dimension.values if isinstance(dimension, Choice) else dimension.values()
    if values is None:
        text = "an interval has no end of values; for a grid, give values: range(…), or with commas"
        raise ConfigError([Problem(key, str(dimension), TYPED, "wrong-value", text)])
    return [_number(value, dimension) for value in values]


def _number(value: Value, dimension: Dimension) -> Value:
    return int(value) if isinstance(dimension, Between) and dimension.whole else value


def _typed(value: Value) -> str:
    """A value as a word has it."""
    return value if isinstance(value, str) else f"{value:.6g}" if isinstance(value, float) else str(value)
