"""One config trained several times: on the folds of its data, or from several seeds."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from omegaconf import DictConfig, OmegaConf

from nncli.config.compose import Config, compose, freeze
from nncli.config.document import parse, read
from nncli.config.hosting import hosts, pruned
from nncli.config.origin import spelled
from nncli.config.reference import leaves
from nncli.config.words import TYPED
from nncli.errors import NnError, Problem, TrainingFailed
from nncli.paths import runs_dir, shown
from nncli.run.assemble import require
from nncli.run.files import write_atomic
from nncli.run.folder import RunFolder, held
from nncli.run.processes.jobs import Job, train_all
from nncli.run.resolve import complete, infer
from nncli.run.screen import Screen
from nncli.run.spread import Spread, spread

Kind = Literal["folds", "seeds"]
SUFFIX: dict[Kind, str] = {"folds": "cv", "seeds": "seeds"}  # of the folder's name
VARIES: dict[Kind, tuple[str, ...]] = {"folds": (), "seeds": ("seed",)}  # what may differ when one continues
SAID = {"data.split.fold.1": "folds"}
OWN: dict[Kind, tuple[str, ...]] = {"folds": ("data.split.fold", "test", "run_dir"), "seeds": ("run_dir",)}


@dataclass(frozen=True)
class Repeats:
    """The runs of a config, each in a folder named after its fold or its seed."""

    kind: Kind
    folder: Path
    config: Config  # of the first run
    words: list[str]
    places: Sequence[int]  # the folds or the seeds
    trust: Collection[str]

    @property
    def runs(self) -> list[RunFolder]:
        return [RunFolder(self.folder / str(place)) for place in self.places]

    @property
    def metrics(self) -> list[dict[str, float | None]]:
        """The metrics of each run."""
        return [run.read(run.summary).get("metrics", {}) for run in self.runs]

    @property
    def spreads(self) -> dict[str, Spread]:
        """The spread of each metric that every run has."""
        every = self.metrics
        found = {name: [metrics.get(name) for metrics in every] for name in every[0]}
        numbers = {name: [value for value in values if value is not None] for name, values in found.items()}
        return {name: spread(values) for name, values in numbers.items() if len(values) == len(self.places)}

    def train(self, tell: Callable[[str], object]) -> int:
        """Train what is not finished, and return how many runs that were; raises TrainingFailed if any fails."""
        first = "" if self.folder.exists() else self._frozen(self.places[0])  # what is wrong with the data is said now
        self._same()
        self._file(self.places[0], first)
        jobs = [
            Job(run, {SUFFIX[self.kind]: self.folder.name, "number": place}, lambda place=place: self._file(place))
            for place, run in zip(self.places, self.runs, strict=True)
            if run.status() != "finished"
        ]
        failed = dict[str, str]()

        def ended(job: Job, why: str) -> None:
            if why:
                failed[job.run.name] = why
            done = sum(run.status() == "finished" for run in self.runs)
            state = "failed" if why else "finished"
            tell(f"  {self.kind[:-1]} {job.trial['number']} {state} · {done} of {len(self.runs)} are done")

        with held(RunFolder(self.folder)):
            train_all(jobs, self.config, self.folder / "workers.log", ended, self.trust)
        if failed:
            name, why = next(iter(failed.items()))
            more = f", and {len(failed) - 1} more failed" if len(failed) > 1 else ""
            raise TrainingFailed(f"{name} failed{more}: {why}\nthe others are kept; the same line again continues")
        return len(jobs)

    def _file(self, place: int, text: str = "") -> Path:
        """The frozen config of a run."""
        file = self.folder / "configs" / f"{place}.yaml"
        if not file.is_file():
            file.parent.mkdir(exist_ok=True)
            write_atomic(file, (text or self._frozen(place)).encode())
        return file

    def _frozen(self, place: int) -> str:
        """The config of a run with the values that its training part determines."""
        config = complete(compose(_words(self.kind, self.words, place, len(self.places)), trust=self.trust))
        return freeze(config if hosts(config) else infer(config, Screen("quiet"))[0])

    def _same(self) -> None:
        """Make the folder, or make sure that its runs have the same config."""
        file, text = self.folder / "config.yaml", freeze(self.config)
        if not file.is_file():
            if self.folder.exists() and any(self.folder.iterdir()):
                raise NnError(f"{shown(self.folder)} has other files; choose another name: name=…")
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(file, text.encode())
            return
        before, now = dict(leaves(read(file).data)), dict(leaves(parse(text, file).data))
        if odd := [key for key in before | now if before.get(key) != now.get(key) and key not in VARIES[self.kind]]:
            key, more = odd[0], f" and {len(odd) - 1} more keys differ" if len(odd) > 1 else ""
            raise NnError(
                f"{shown(self.folder)} was begun with {SAID.get(key, key)} = {spelled(before.get(key))}, and now it is "
                f"{spelled(now.get(key))}{more}; to keep both, choose another name: name=…"
            )


def repeats(kind: Kind, words: Sequence[str], trust: Collection[str] = ()) -> Repeats:
    """The repeats that words ask for with folds=… or seeds=…; raises ConfigError with every problem."""
    typed, names = ([word for word in words if word.startswith(f"{key}=")] for key in (kind, "name"))
    rest = [word for word in words if word not in (*typed, *names)]
    value = ", ".join(word.partition("=")[2] for word in typed)
    count, found = int(value) if value.isdecimal() and len(value) < 10 else 0, list[Problem]()
    if count < 2:
        found.append(
            Problem(
                kind,
                value[:200],
                TYPED if typed else "",
                "wrong-value",
                f"must be a whole number, 2 or more, such as {kind}=5",
            )
        )
    name = names[0].removeprefix("name=") if names else ""
    if names and not re.fullmatch(r"\w[\w.-]{0,99}", name):
        text = "must consist of letters, digits, dots and dashes; it is the name of the folder of these runs"
        found.append(Problem("name", name[:200], TYPED, "wrong-value", text))
    for key in OWN[kind]:
        if given := [word for word in rest if word.lstrip("+").startswith(f"{key}=")]:
            text = f"is set for each of the {kind}; leave it out"
            found.append(Problem(key, given[0].partition("=")[2][:200], TYPED, "no-effect", text))
    config = compose(rest, trust=trust)
    split = OmegaConf.select(config.tree, "data.split")
    if kind == "folds" and "data" in config.tree and not (isinstance(split, DictConfig) and "fold" in split):
        text = "this data has no data.split.fold: its parts are fixed. To compare seeds: nn train … seeds=5"
        found.append(Problem(kind, value[:200], TYPED, "incompatible-value", text))
    if found:
        require(config, besides=found)
    places = range(count)
    if kind == "seeds" and not config.problems:
        places = range(first := int(require(pruned(config)).tree.seed), first + count)
        rest = [word for word in rest if not word.startswith("seed=")]
    config = require(pruned(compose(_words(kind, rest, places[0], count), trust=trust)))
    return Repeats(kind, runs_dir() / (name or f"{config.name}_{SUFFIX[kind]}"), config, rest, places, trust)


def _words(kind: Kind, words: Sequence[str], place: int, count: int) -> list[str]:
    own = [f"data.split.fold=[{place},{count}]", "test=true"] if kind == "folds" else [f"seed={place}"]
    return [*words, *own]
