"""Every problem of a composed config at once, before anything is built."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, cast, get_origin

from omegaconf import OmegaConf

from nncli.config.annotations import Built, accepts, of_default, phrase, takes_parts
from nncli.config.compose import Config
from nncli.config.hosting import is_lightning
from nncli.config.nearest import guess, listed, nearest
from nncli.config.older import LEFT_OUT, RENAMED
from nncli.config.origin import source, spelled
from nncli.config.places import misplaced
from nncli.config.reference import around, at, children, locate, whole
from nncli.config.slots import FIRST, PARTIAL, SLOTS, UNUSED, base, injected, is_net, parameters, slot_of, target_class
from nncli.config.try_out import extra_needed, refusals
from nncli.config.used_keys import read_keys
from nncli.errors import Code, Problem, short

Sections = Mapping[str, Callable[..., object]]
_PLAIN = ("regularization", "defaults", "name")  # values that others refer to, and what belongs to the file itself


def check(config: Config, sections: Sections, *, trains: bool = True) -> list[Problem]:
    """All problems. `sections` maps each plain section, and "", the root, to the function whose signature describes it.
    Unless it `trains`, no optimizer is tried out: building the first imports torch's compiler, which takes a second."""
    return _Check(config, sections).run(trains=trains)


class _Check:
    """One walk over a tree; `problems` grows."""

    def __init__(self, config: Config, sections: Sections) -> None:
        self.config, self.sections = config, sections
        self.tree = cast(dict[str, Any], OmegaConf.to_container(config.tree, resolve=False))
        self.resolved = cast(dict[str, Any], OmegaConf.to_container(config.tree, resolve=True))
        self.referred = read_keys(self.tree)
        self.problems = list(config.problems)
        self.broken = {p.key for p in config.problems}
        self.partly = {outer for key in self.broken for outer in around(key)}  # broken, or something inside is
        self.classes: dict[str, type] = {}  # key of a section -> what its target is
        self.settings = parameters(sections[""]) if "" in sections else {}  # the keys at the root that are no section

    def run(self, *, trains: bool) -> list[Problem]:
        self._root()
        for key, node in self.tree.items():
            if isinstance(node, dict) and "_target_" in node and (slot_of(key) or key in self.referred):
                self._part(key, key)
            elif slot_of(key):
                self._empty_slot(key, node)
            elif key in self.sections and isinstance(node, dict):
                self._arguments(key, node, parameters(self.sections[key]), (), whose=key)
            else:
                self._unclaimed(key, node)
        self._monitor()
        self._try_out(trains=trains)
        self._unread_words()
        return _distinct(self.problems)

    def _root(self) -> None:
        """The keys that are not sections, and the components without which nothing can start."""
        given = {key: node for key, node in self.tree.items() if key in self.settings}
        if self.settings and self.tree:
            self._arguments("", given, self.settings, (), whose="the config")
        for key in (*SLOTS, *filter(None, self.sections)):
            if key not in self.tree and self.tree and key in ("task", "data", *self.sections):
                self._report(key, "missing-key", "is missing; start the recipe's defaults list with - /train", value="")

    def _empty_slot(self, key: str, node: Any) -> None:
        if any(problem.key == key or problem.key.startswith(f"{key}.") for problem in self.problems):
            return
        optional = key == "logger" or key not in self.referred
        if not whole(node) and not (not node and (optional or node is None)):
            text = "needs a _target_: the class to build"
            self._report(key, "missing-key", text, value="" if isinstance(node, dict) else None)

    def _unclaimed(self, key: str, node: Any) -> None:
        if key in self.settings or key in _PLAIN or key in self.referred:
            return
        if key in self.sections:
            self._report(key, "not-a-value", "is a section; set one of its keys")
            return
        names = sorted([*SLOTS, *self.settings, *filter(None, self.sections), "regularization"])
        text = f"no such key. {guess(key, names)}The top-level keys are: {listed(names, 20)}"
        self._report(key, "unknown-key", text, value="" if isinstance(node, dict | list) else None)

    def _part(self, key: str, slot: str, hint: Any = inspect.Parameter.empty) -> Built:
        """A mapping with a target: its class, then its arguments."""
        node = at(self.tree, key)
        partial = node.get("_partial_", False) is True
        if key in self.classes:
            return Built(self.classes[key], partial)
        cls = target_class(at(self.resolved, key).get("_target_"), self.config.trust)
        if isinstance(cls, tuple):
            self._report(f"{key}._target_", *cls)
            self._nested_only(key, node)
            return Built(None, partial)
        wanted = base(slot)
        if (
            not is_lightning(cls, slot)
            and not issubclass(cls, wanted)
            and (slot or hint is inspect.Parameter.empty or hint is Any)
        ):
            text = f"must be a class that derives from {wanted.__module__}.{wanted.__name__}"
            self._report(f"{key}._target_", "wrong-class", text)
            return Built(None, partial)
        self.classes[key] = cls
        if slot_of(slot) in PARTIAL and not partial:
            text = "must be true: it is built when training starts"
            self._report(f"{key}._partial_", "wrong-value", text, value="false")
        given = {k: v for k, v in node.items() if k != "_target_" and not self._marker(f"{key}.{k}", k, v)}
        if is_net(slot) and not isinstance(given.pop(FIRST, None), str | None):
            text = "must be a run (its folder, its name or last), a .safetensors file or null"
            self._report(f"{key}.{FIRST}", "wrong-value", text)
        known = parameters(cls)
        if is_net(slot) and FIRST in known:
            text = f"has an argument {FIRST}, which nn uses for the initial weights of any net; rename the argument"
            self._report(f"{key}._target_", "reserved-key", text)
            return Built(cls, partial)
        self._arguments(key, given, known, injected(slot), whose=key)
        return Built(cls, partial)

    def _nested_only(self, key: str, node: Any) -> None:
        """Where a class is unknown its arguments cannot be bound, but the targets inside them are still checked."""
        for name, inner in children(node):
            if isinstance(inner, dict) and "_target_" in inner:
                self._part(f"{key}.{name}", "", object)
            else:
                self._nested_only(f"{key}.{name}", inner)

    def _marker(self, key: str, name: str, value: Any) -> bool:
        """Whether a key is one of Hydra's own; only _target_ and _partial_ are read."""
        if not (name.startswith("_") and name.endswith("_")):
            return False
        if name == "_partial_" and not isinstance(value, bool):
            self._report(key, "wrong-value", "must be true or false")
        elif name == "_args_":
            self._report(key, "reserved-key", "arguments are passed by name, not by position", value="")
        elif name != "_partial_":
            self._report(key, "reserved-key", UNUSED, value="")
        return True

    def _arguments(
        self,
        key: str,
        given: Mapping[str, Any],
        known: Mapping[str, inspect.Parameter],
        handed_in: tuple[str, ...],
        *,
        whose: str,
    ) -> None:
        """Each given argument against the signature, then those that are missing."""
        open_ = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
        named = {n: p for n, p in known.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        for name, value in given.items():
            full = f"{key}.{name}" if key else name
            if name in handed_in:
                self._report(full, "reserved-key", "is set by nn itself; remove it")
            elif name in named:
                self._value(full, value, named[name])
            elif open_:
                self._value(full, value, inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY))
            else:
                now = RENAMED.get(full, "").removeprefix(f"{key}.")
                near = now if now.partition(".")[0] in named else nearest(name, named)
                hint = f"Did you mean {f'{key}.{near}' if key else near}? " if near else ""
                hint = LEFT_OUT.get(full, hint)
                takes = listed(n for n in named if n not in handed_in)
                self._report(full, "unknown-key", f"no such key. {hint}{whose} takes: {takes}", value=_short(value))
        for name, parameter in named.items():
            if parameter.default is parameter.empty and name not in given and name not in handed_in:
                full = f"{key}.{name}" if key else name
                self._report(full, "missing-key", f"is missing; {whose} needs it: {phrase_of(parameter)}", value="")

    def _value(self, key: str, value: Any, parameter: inspect.Parameter) -> None:
        hint = parameter.annotation
        if hint is parameter.empty:
            hint = of_default(parameter.default)
            if hint is not Any and not isinstance(value, str):
                return  # an unannotated third-party parameter: only text in place of a number is certainly wrong
        stand_in = self._stand_in(key, value, hint)
        if stand_in == "auto" and self._source(key) != key and self._source(key).startswith("data."):
            return  # known once the data is loaded
        place = self._source(key)
        if isinstance(stand_in, str) and "\0" in stand_in:
            self._report(place, "wrong-value", "contains a null byte, which is not allowed in a text or a path")
            return
        if place in self.broken or key in self.broken or accepts(stand_in, hint):
            return
        if isinstance(stand_in, dict) and place in self.partly:
            return  # what will be built there is not known yet
        if whole(value) and self._is_at_fault(key, stand_in, hint):
            self._report(key, "wrong-value", self._allowed(key, hint), value=value)
        else:
            self._report(place, "wrong-value", self._allowed(place, hint), value=_short(stand_in))

    def _is_at_fault(self, key: str, value: Any, hint: Any) -> bool:
        """Whether a reference is wrong, not its target: it was typed, or names a component where none is accepted."""
        origin = self.config.origins.get(key)
        return (origin is not None and origin.kind == "word") or (isinstance(value, Built) and not takes_parts(hint))

    def _allowed(self, key: str, hint: Any) -> str:
        text = f"must be {phrase(hint)}" + (f"; did you mean {RENAMED[key]}?" if key in RENAMED else "")
        if key == "data.num_classes" and at(self.resolved, key) is None:
            return f"{text}; this data has no classes: for numbers, type task=regression loss=mse model.num_outputs=1"
        origin = self.config.origins.get(key)
        file = origin.from_file if origin and origin.kind == "word" and get_origin(hint) is not Literal else None
        return f"{text}. {file.where} says {file.text}" if file else text

    def _stand_in(self, key: str, value: Any, hint: Any) -> Any:
        """The value with references followed, and a Built wherever something will be built."""
        if whole(value):
            place = locate(self.tree, key)
            return self._stand_in(place, at(self.tree, place), hint)
        if isinstance(value, dict):
            if "_target_" in value:
                return self._part(key, key if "." not in key else "", hint)
            for name in value:
                if name.startswith("_") and name.endswith("_"):
                    self._report(f"{key}.{name}", "no-effect", "has no effect without a _target_ beside it", value="")
            return {name: self._stand_in(f"{key}.{name}", inner, Any) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._stand_in(f"{key}.{i}", inner, Any) for i, inner in enumerate(value)]
        return at(self.resolved, key)

    def _source(self, key: str) -> str:
        """The key where a referenced value is set."""
        return locate(self.tree, key)

    def _monitor(self) -> None:
        """The metric that decides which weights are best must be one that the task computes."""
        cls, task = self.classes.get("task"), self.resolved.get("task")
        if cls is None or not isinstance(task, dict) or "monitor" not in task or "task.monitor" in self.broken:
            return
        names = [f"val/{metric}" for metric in getattr(cls, "metrics", ())]
        if names and task["monitor"] not in names:
            text = f"no such metric. {guess(str(task['monitor']), names)}{cls.__name__} computes: {listed(names)}"
            self._report(self._source("task.monitor"), "unknown-metric", text)

    def _try_out(self, *, trains: bool) -> None:
        """What the optimizer and the scheduler themselves refuse, where no problem of theirs is known yet."""
        wrong = {p.key.partition(".")[0] for p in self.problems}
        known = {
            k: c for k, c in self.classes.items() if slot_of(k) in PARTIAL and k not in wrong and not self._nested(k)
        }
        for key, text in refusals(known, self.resolved).items() if known and trains else ():
            self._report(key, "cannot-build", text, value=known[key].__name__)
        for key, code, text in misplaced(self.resolved):
            self._report(key, code, text)
        if text := extra_needed(self.classes.get("logger")):
            self._report("logger._target_", "missing-extra", text)

    def _nested(self, key: str) -> bool:
        return any(inner.startswith(f"{key}.") for inner in self.classes)

    def _unread_words(self) -> None:
        """What a person typed must have an effect."""
        reached = read_keys(
            self.tree, {*self.sections, *(parameters(self.sections[""]) if "" in self.sections else ())}
        )
        is_read, is_reported = _beside(reached), _beside([p.key for p in self.problems])
        typed = [key for key, origin in self.config.origins.items() if origin.kind == "word"]
        outer = {place for key in typed for place in around(key.rpartition(".")[0])}  # what is inside stands for them
        for key in typed:
            if key not in outer and not is_read(key) and not is_reported(key):
                self._report(key, "no-effect", "has no effect: nothing in this config reads it")

    def _report(self, key: str, code: Code, text: str, value: str | None = None) -> None:
        if value is None:
            try:
                value = _short(at(self.resolved, key))
            except KeyError:
                value = ""
        where = origin.where if (origin := source(self.config.origins, key)) else ""
        self.problems.append(Problem(key, value, where, code, text))


def phrase_of(parameter: inspect.Parameter) -> str:
    return phrase(parameter.annotation) if parameter.annotation is not parameter.empty else "a value"


def _short(value: Any) -> str:
    if isinstance(value, Built):
        return value.cls.__name__ if value.cls else ""
    return short("{…}" if isinstance(value, dict) else spelled(value), 80)


def _beside(keys: Collection[str]) -> Callable[[str], bool]:
    """Whether a key is one of these, is around one or is inside one."""
    inner, outer = frozenset(keys), {place for key in keys for place in around(key)}
    return lambda key: key in outer or any(place in inner for place in around(key))


def _distinct(problems: list[Problem]) -> list[Problem]:
    """Each key and reason once: a value that several components refer to is wrong in one place."""
    return list({(p.key, p.text): p for p in problems}.values())
