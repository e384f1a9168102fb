"""A run that is ended at any moment and resumed is the one that never was ended."""

import json
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from nncli.run.checkpoint import load
from tests.run.kinds_of_training import KINDS
from tests.run.moments import run_in_child
from tests.run.test_resume import differences, rows

COMPARED = ("state_dict", "average", "averaged", "optimizer_states", "lr_schedulers", "facts")


def same(whole: Path, cut: Path) -> list[str]:
    """What differs between two runs: weights, states, rows, results, and files that nobody needs any more."""
    found = []
    for file in ("last.ckpt", "best.ckpt"):
        if not (cut / "checkpoints" / file).is_file():
            return [f"{file} is missing"]
        a, b = load(whole / "checkpoints" / file), load(cut / "checkpoints" / file)
        for part in COMPARED:
            found += differences(a.get(part), b.get(part), f"{file}/{part}")
        mine, other = a["nncli"], b["nncli"]
        found += [f"{file}/{k}: {mine[k]} and {other[k]}" for k in mine if k != "ranks" and mine[k] != other[k]]
        found += differences(mine["ranks"], other["ranks"], f"{file}/ranks")
    if rows(whole) != rows(cut):
        found.append(f"metrics.csv: {len(rows(whole))} and {len(rows(cut))} rows")
    a, b = (json.loads((run / "summary.json").read_text()) for run in (whole, cut))
    found += [f"{k}: {a[k]} and {b[k]}" for k in ("status", "epochs", "steps", "best_step", "seed") if a[k] != b[k]]
    found += [k for k in a["metrics"] | b["metrics"] if a["metrics"].get(k) != b["metrics"].get(k)]
    left = {p.name for p in cut.rglob(".*.tmp")} | {p.name for p in cut.rglob(".new-*")}
    return found + [f"left behind: {name}" for name in sorted(left)]


class Whole:
    """A run of a kind that nothing ended, and the names of its moments."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.words, self.path, self.folder = KINDS[kind], folder / "whole", folder
        started = time.monotonic()
        assert run_in_child(self.path, self.words, folder / "whole.log") == 0, (folder / "whole.said").read_text()
        self.seconds = time.monotonic() - started
        self.moments = (folder / "whole.log").read_text().splitlines()

    def ended(self, at: int, signum: int) -> str:
        """What is wrong with a run that was ended at this moment and resumed; empty when nothing is."""
        cut, log = self.folder / "cut", self.folder / "cut.log"
        shutil.rmtree(cut, ignore_errors=True)
        code = run_in_child(cut, self.words, log, at=at, signum=signum)
        if not (cut / "config.yaml").is_file():
            return ""  # it had not begun
        if code not in (-signum, 128 + signum, 0):
            return f"ended with {code}: {self._said()}"
        return self._resumed(cut)

    def killed(self, after: list[float]) -> str:
        """The same for a run that was killed so many times, each so many seconds after it began or went on."""
        cut, log = self.folder / "cut", self.folder / "cut.log"
        shutil.rmtree(cut, ignore_errors=True)
        for delay in after:
            begun = (cut / "config.yaml").is_file()
            if not begun:
                shutil.rmtree(cut, ignore_errors=True)
            run_in_child(cut, self.words * (not begun), log, go_on=begun, after=delay)
        return self._resumed(cut) if (cut / "config.yaml").is_file() else ""

    def _resumed(self, cut: Path) -> str:
        if code := run_in_child(cut, [], self.folder / "cut.log", go_on=True):
            return f"the resume ended with {code}: {self._said()}"
        return "; ".join(same(self.path, cut))

    def _said(self) -> str:
        return (self.folder / "cut.said").read_text()[-500:]


def assert_same_wherever_it_ends(kind: str, folder: Path, share: int) -> None:
    """At one of the moments of each name, where `share` is 1; which of them depends on the kind."""
    whole, wrong = Whole(kind, folder), []
    named: dict[str, list[int]] = {}
    for at, name in enumerate(whole.moments):
        named.setdefault(name, []).append(at)
    assert len(named) > 25
    dice = random.Random(kind)
    for number, (name, all_at) in enumerate(named.items()):
        for signum in (signal.SIGKILL, signal.SIGTERM):
            at = dice.choice(all_at)
            if (number + signum + len(kind)) % share == 0 and (why := whole.ended(at, signum)):
                wrong.append(f"{signum.name} at {at} {name}: {why[:300]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_ended_at_some_moments(kind: str, tmp_path: Path) -> None:
    assert_same_wherever_it_ends(kind, tmp_path, 9)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ended_at_each_moment(kind: str, tmp_path: Path) -> None:
    assert_same_wherever_it_ends(kind, tmp_path, 1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_random(kind: str, tmp_path: Path) -> None:
    """1,000 kills over all kinds, up to three in one run."""
    dice, whole, kills, wrong = random.Random(kind), Whole(kind, tmp_path), 0, []
    while kills < 1000 / len(KINDS):
        after = [dice.random() * whole.seconds * 1.1 for _ in range(dice.randint(1, 3))]
        kills += len(after)
        if why := whole.killed(after):
            wrong.append(f"{after}: {why[:300]}")
    assert not wrong, "\n".join(wrong)
