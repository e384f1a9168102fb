"""The record of a sweep's trials: cut off, damaged, deleted, taken by another sweep; and no password in any file."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from nncli.errors import ConfigError, NnError
from nncli.sweep import study as module
from nncli.sweep.prepare import prepare
from nncli.sweep.settings import settings
from nncli.sweep.space import Space, space
from nncli.sweep.storage import public, storage
from nncli.sweep.study import Study
from tests.sweep.test_study import SPACE, opened

LOG = Path("study.log")


@pytest.fixture
def searched() -> Space:
    return space(SPACE)


def test_what_a_kill_left_half_written_is_cut_off(searched: Space) -> None:
    opened("study.log").open(2)
    with LOG.open("ab") as log:
        log.write(b'{"op_code": 5, "work')
    study = opened("study.log")
    while claimed := study.claim(searched):
        study.end(claimed, [1.0])
    assert [one.state for one in opened("study.log").slots().values()] == [TrialState.COMPLETE] * 2
    assert all(json.loads(line) for line in LOG.read_text().splitlines())


@pytest.mark.parametrize("line", ["\0\0garbage", '{"a": 1}', "[]", "null"])
def test_a_damaged_file_is_named_and_left_alone(line: str) -> None:
    opened("study.log").open(2)
    LOG.write_text(f"{line}\n{LOG.read_text()}")
    before = LOG.read_bytes()
    with pytest.raises(NnError, match=r"study\.log is damaged.*type the same line again"):
        storage("study.log")
    assert LOG.read_bytes() == before


@pytest.mark.parametrize("again", [False, True])
def test_a_file_that_is_deleted_meanwhile_is_noticed(again: bool, searched: Space) -> None:
    study = opened("study.log")
    study.open(2)
    LOG.unlink()
    if again:
        LOG.touch()
    with pytest.raises(NnError, match=r"study\.log"):
        study.claim(searched)


def test_a_study_is_not_shared_with_another_search() -> None:
    opened("study.log").open(2, sign="a")
    opened("study.log").open(3, sign="a")
    with pytest.raises(NnError, match="another sweep of the name one"):
        opened("study.log").open(3, sign="b")


def test_values_that_are_known_from_runs_are_kept(searched: Space) -> None:
    values: Any = {"model.width": "2", "optimizer.lr": 0.25}
    opened("study.log").open(2)  # as it is left when the end of the record is cut off
    study = opened("study.log")
    study.open(3, lambda slot: values if slot in (1, 2) else {})
    picked = {}
    while claimed := study.claim(searched):
        picked[claimed.slot] = claimed.picked
        study.end(claimed, [1.0])
    assert sorted(picked) == [0, 1, 2]
    assert (picked[1], picked[2]) == (values, values)


def test_a_slot_that_is_taken_before_its_last_trial_is_given_up_is_not_lost(
    searched: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = opened("study.log"), opened("study.log")
    first.open(1)
    claimed = first.claim(searched)
    assert claimed is not None
    fail, taken = Study._fail, []

    def later(study: Study, number: int, why: str, **more: Any) -> None:
        if not taken:
            taken.append(second.claim(searched))  # between the two steps of giving up
        fail(study, number, why, **more)

    monkeypatch.setattr(Study, "_fail", later)
    assert first.lose(claimed, retries=1)
    assert taken[0] is not None
    second.end(taken[0], [1.0])
    assert {slot: one.state.name for slot, one in first.slots().items()} == {0: "COMPLETE"}


def test_a_program_lives_as_long_as_it_speaks_whatever_its_clock_says(
    searched: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, me = opened("study.log"), opened("study.log")
    other.me = "elsewhere:1:abc"
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: 0.0)  # its clock is decades behind
        other.open(1)
        other.beat()
    assert other.claim(searched)
    assert me.adopt() == 0
    monkeypatch.setattr(module, "SILENT", 0.05)
    other._beaten = -1e9
    time.sleep(0.1)
    other.beat()
    assert me.adopt() == 0, "it has spoken"
    time.sleep(0.1)
    assert me.adopt() == 1


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("postgresql://me:s3cret@host:1/x", "postgresql://me@host:1/x"),
        ("postgresql+psycopg://host/x?user=me&password=s3cret", "postgresql+psycopg://host/x?user=me"),
        ("postgresql://me@host/x", "postgresql://me@host/x"),
    ],
)
def test_a_password_is_not_stored(url: str, stored: str) -> None:
    assert public(url) == stored
    found = prepare([*SPACE[:2], "sweep.trials=1", f"sweep.storage='{url}'"])
    assert f"sweep.storage='{stored}'" in found.facts["words"]
    assert "s3cret" not in str(found.facts)


@pytest.mark.parametrize("word", ["sweep.storage=x://me:s3,cret@h/x", "sweep.storge=x://me:s3cret@h/x"])
def test_a_password_is_not_printed(word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings([word])
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["study.db", "postgres:s3cret", "postgresql://me:s3cret@host:port/x"])
def test_what_is_no_database_is_refused(url: str) -> None:
    with pytest.raises(NnError, match="no address of a database") as caught:
        prepare([*SPACE[:2], f"sweep.storage='{url}'"])
    assert "s3cret" not in str(caught.value)
    assert not Path("runs").exists()
