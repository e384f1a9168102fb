"""How other processes of ours are started, watched and ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nncli.errors import Stopped, TrainingFailed
from nncli.run.folder import RunFolder
from nncli.run.processes.launch import Watch, outcome
from nncli.run.processes.python import python
from nncli.run.processes.signals import Signals


def test_a_file_of_this_folder_is_run_in_place_of_a_package_only_where_it_is_in_this_process_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("yaml.py").write_text("raise SystemExit('mine')")

    def said() -> bytes:
        return subprocess.run(python("yaml"), capture_output=True, check=False).stderr.strip()

    assert said() != b"mine"
    monkeypatch.syspath_prepend(os.getcwd())  # as `python -m nncli` does
    assert said() == b"mine"


def _ranks(*programs: str) -> list["subprocess.Popen[bytes]"]:
    """Stand-ins for ranks, each in a session of its own, that have begun."""
    ranks = [
        subprocess.Popen([sys.executable, "-c", f"print(1, flush=True)\n{p}"], stdout=-1, start_new_session=True)
        for p in programs
    ]
    for rank in ranks:
        assert rank.stdout
        assert rank.stdout.readline() == b"1\n"
        rank.stdout.close()
    return ranks


SLEEP = "import time; time.sleep(60)"


def _watched(ranks: list["subprocess.Popen[bytes]"], signals: Signals, patience: float) -> Watch:
    watch = Watch(ranks, signals, patience)
    began = time.monotonic()
    try:
        watch.wait()
    finally:
        watch.end()
    assert time.monotonic() - began < 30
    return watch


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be stopped there")
@pytest.mark.parametrize("which", [(0, 1), (1,)], ids=["both", "one"])
def test_ranks_that_are_stopped_are_given_up(which: tuple[int, ...]) -> None:
    ranks = _ranks(SLEEP, SLEEP)
    for i in which:
        os.kill(ranks[i].pid, signal.SIGSTOP)
    watch = _watched(ranks, Signals(), 1.0)
    assert watch.stopped == list(which)
    assert watch.codes == [-9, -9]
    assert f"rank {which[0]} was stopped (SIGSTOP) and did not continue; trainer.timeout is 1 s" in watch.lost()


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be stopped there")
def test_stopped_ranks_fail_the_run_and_it_can_be_resumed(tmp_path: Path) -> None:
    run = _run(tmp_path)
    ranks = _ranks(SLEEP)
    os.kill(ranks[0].pid, signal.SIGSTOP)
    watch = _watched(ranks, Signals(), 1.0)
    with pytest.raises(TrainingFailed, match=r"did not continue.*nn resume"):
        outcome(run, watch, Signals())
    assert run.read(run.summary)["status"].startswith("failed: rank 0 was stopped")


def test_a_rank_that_does_not_end_when_asked_is_killed_with_its_workers(tmp_path: Path) -> None:
    worker = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {SLEEP!r}])"
    note = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(p.pid))"
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    ranks = _ranks(f"{ignore}; {worker}; {note}; p.wait()")
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.01)
    signals = Signals()
    signals.asked = signal.SIGTERM
    watch = _watched(ranks, signals, 0.5)
    assert watch.ended == [0]
    with pytest.raises(Stopped) as stopped:
        outcome(_run(tmp_path), watch, signals)
    assert stopped.value.exit_code == 143
    until = time.monotonic() + 10
    while _alive(int((tmp_path / "pid").read_text())):
        assert time.monotonic() < until
        time.sleep(0.01)


def _run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "r")
    run.path.mkdir()
    run.write(run.summary, {"status": "running"})
    return run


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
