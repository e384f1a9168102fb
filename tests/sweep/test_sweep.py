"""Sweeps as a person starts, breaks, repeats and reads them: every trial is trained once, and is a run."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
import yaml

from nncli.run import folder
from nncli.run.folder import RunFolder
from nncli.sweep.record import Record, open_sweep
from tests.conftest import Begin, Nn

MLP = ["recipe=digits_mlp", "trainer.max_epochs=1", "trainer.accelerator=cpu", "sweep.workers=2"]
LONG = ["recipe=digits_mlp", "trainer.max_epochs=100", "trainer.accelerator=cpu", "sweep.workers=2"]


def record(name: str = "digits_mlp_sweep") -> Record:
    return open_sweep(Path("runs") / name)


def states() -> dict[str, int]:
    return {state: count for state, count in record().counts().items() if count}


def alive(text: str) -> list[int]:
    """The processes with this text in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in path.read_bytes().decode(errors="replace") and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def workers_here() -> list[int]:
    """The process from which the workers of this test's folder are forked, and the workers."""
    here = os.getcwd()
    found = []
    for pid in alive("nncli.run.processes.worker"):
        try:
            if os.readlink(f"/proc/{pid}/cwd") == here:
                found.append(pid)
        except OSError:
            continue
    return sorted(found)


def wait_for(test: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not test():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_a_grid_trains_each_combination_once_and_each_is_a_run(nn: Nn) -> None:
    words = [*MLP, "sweep=grid", "model.width=4,8,16", "model.depth=1,2,3", "optimizer.lr=0.01,0.03"]
    done = nn("sweep", *words, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["complete"], result["failed"]) == (18, 0)
    picked = {tuple(one.picked.values()) for one in record().trials}
    assert len(picked) == len(record().trials) == 18
    runs = [run for run in folder.all_runs() if run.read(run.environment).get("trial")]
    assert len(runs) == 18
    one = RunFolder(Path("runs/digits_mlp_sweep/0007").absolute())
    config = yaml.safe_load(one.config.read_text())
    trial = record().trials[7]
    assert (str(config["model"]["width"]), str(config["model"]["depth"])) == tuple(trial.picked.values())[:2]
    assert config["test"] is False
    assert not any(key.startswith("test/") for key in one.read(one.summary)["metrics"]), (
        "the test part is not looked at"
    )
    assert trial.values == [one.read(one.summary)["metrics"]["val/accuracy"]]
    with pytest.raises(Exception, match="there are no runs"):
        folder.find("last")
    again = nn("sweep", *words)
    assert again.returncode == 0, again.stderr
    assert states() == {"complete": 18}
    best = nn("sweep", "best", "digits_mlp_sweep").stdout
    assert best.startswith("nn train recipe=digits_mlp ")
    assert "18 complete" in nn("sweep", "show", "digits_mlp_sweep").stdout
    assert Path("runs/digits_mlp_sweep/report.html").is_file()


def test_data_of_ones_own_chooses_the_task_of_each_trial(nn: Nn) -> None:
    Path("x.csv").write_text("a,rent\n" + "".join(f"{n % 13}.5,{n % 13 * 100}.5\n" for n in range(90)))
    words = ["data=csv", "data.path=x.csv", "data.target=rent", "trainer.max_epochs=1", "sweep=grid"]
    done = nn("sweep", *words, "model.width=4,8", "sweep.workers=1")
    assert done.returncode == 0, done.stderr
    assert {one.state for one in record("csv_mlp_sweep").trials} == {"complete"}, done.stdout


def test_a_trial_that_raises_is_recorded_and_the_others_go_on(nn: Nn) -> None:
    words = [*MLP, "sweep=grid", "model.width=8", "optimizer.lr=0.01,1e30,0.02"]
    done = nn("sweep", *words)
    assert done.returncode == 0, done.stderr
    assert states() == {"complete": 2, "failed": 1}
    (failed,) = (one for one in record().trials if one.state == "failed")
    assert float(failed.picked["optimizer.lr"]) == 1e30
    assert "nan" in failed.why.lower() or "not finite" in failed.why, failed.why
    stopped = nn("sweep", *words, "sweep.fail=stop", "sweep.name=strict", "sweep.workers=1")
    assert (stopped.returncode, "sweep.fail is stop" in stopped.stderr) == (1, True)


def test_what_is_killed_is_tried_again_and_nothing_is_left_running(begin: Begin, nn: Nn) -> None:
    words = [*LONG, "model.width=8,16,24", "optimizer.lr=interval(0.001,0.01)", "sweep.trials=4", "sweep=random"]
    first = begin("sweep", *words)
    wait_for(lambda: len(list(Path("runs/digits_mlp_sweep").glob("00*/metrics.csv"))) >= 2)
    nursery, *_, worker = workers_here()
    os.kill(nursery, signal.SIGKILL)  # the others go on, and new ones start without it
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: len(list(Path("runs/digits_mlp_sweep").glob("00*/metrics.csv"))) >= 3)
    begun = {path: path.read_bytes() for path in Path("runs/digits_mlp_sweep").glob("00*/environment.json")}
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    wait_for(lambda: not workers_here(), 20)
    done = nn("sweep", *words, timeout=300)
    assert done.returncode == 0, done.stderr
    assert states() == {"complete": 4}, [one.why for one in record().trials]
    assert all(path.read_bytes() == content for path, content in begun.items()), "they were continued, not begun again"
    assert not workers_here()


def test_a_lost_record_is_made_anew_from_the_runs(nn: Nn) -> None:
    words = [*MLP, "model.width=int(interval(4,64))", "sweep.trials=2"]
    assert nn("sweep", *words).returncode == 0
    folder = Path("runs/digits_mlp_sweep")
    before, picked = {path: path.read_bytes() for path in folder.glob("00*/*.*")}, record().trials
    (folder / "study.log").unlink()
    lost = nn("sweep", "show", "digits_mlp_sweep")
    assert (lost.returncode, "has no study.log" in lost.stderr) == (1, True)
    again = nn("sweep", *words)
    assert again.returncode == 0, again.stderr
    assert record().trials == picked
    assert {path: path.read_bytes() for path in folder.glob("00*/*.*")} == before


def ranks_here() -> list[int]:
    """The ranks of runs in this test's folder."""
    return [pid for pid in alive("nncli.run.processes.rank") if pid in alive(os.getcwd())]


def test_pruning_reaches_all_ranks(begin: Begin) -> None:
    words = ["recipe=digits_mlp", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.max_epochs=100000"]
    run = RunFolder(Path("pruned").absolute())
    parent = begin("train", *words, "run_dir=pruned")
    wait_for(run.metrics.is_file, 300)
    run.pruned.touch()
    assert parent.wait() == 0
    assert run.read(run.summary)["status"] == "pruned"
    assert not ranks_here()


DDP = ["recipe=digits_mlp", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp", "sweep.workers=1"]


@pytest.mark.slow
def test_trials_with_two_ranks_are_pruned_and_the_next_one_trains(nn: Nn) -> None:
    rates = "0.01,0.011,0.012,0.013,0.014,1e-7,0.0105"
    words = [*DDP, "trainer.max_epochs=15", "sweep=grid", "sweep.pruner=median", f"optimizer.lr={rates}"]
    done = nn("sweep", *words, timeout=1500)
    assert done.returncode == 0, done.stderr
    trials = record().trials
    assert [one.state for one in trials][:6] == ["complete"] * 5 + ["pruned"]
    assert trials[6].state in ("complete", "pruned")
    assert not ranks_here()


@pytest.mark.slow
def test_a_trial_that_loses_a_rank_is_tried_again(begin: Begin, nn: Nn) -> None:
    words = [*DDP, "trainer.max_epochs=40", "sweep=grid", "model.width=8,16"]
    first = begin("sweep", *words)
    wait_for(Path("runs/digits_mlp_sweep/0000/checkpoints/last.ckpt").is_file, 300)
    os.kill(ranks_here()[0], signal.SIGKILL)
    assert first.wait() == 0
    assert states() == {"complete": 2}
    assert "its process died; it is tried again" in Path("said").read_text()
    assert not ranks_here()


def test_ctrl_c_leaves_a_sweep_that_continues(begin: Begin, nn: Nn) -> None:
    words = [*LONG, "model.width=8,16", "optimizer.lr=interval(0.001,0.01)", "sweep.trials=3", "sweep=random"]
    first = begin("sweep", *words)
    wait_for(lambda: len(list(Path("runs/digits_mlp_sweep").glob("00*/metrics.csv"))) >= 2)
    os.kill(first.pid, signal.SIGINT)
    assert first.wait() == 130
    assert not workers_here()
    assert states() == {"waiting": 3}
    done = nn("sweep", "--resume", "digits_mlp_sweep", timeout=300)
    assert done.returncode == 0, done.stderr
    assert states() == {"complete": 3}


def test_trials_that_fall_behind_are_pruned(nn: Nn) -> None:
    words = ["recipe=digits_mlp", "trainer.max_epochs=80", "trainer.accelerator=cpu", "sweep.workers=2"]
    rates = "0.01,0.011,0.012,0.013,0.014,0.015,0.016,1e-7,2e-7"  # five complete ones are compared with
    done = nn(
        "sweep",
        *words,
        "sweep=grid",
        "sweep.pruner=median",
        "model.width=64",
        f"optimizer.lr={rates}",
    )
    assert done.returncode == 0, done.stderr
    trials = record().trials
    assert {one.state for one in trials if float(one.picked["optimizer.lr"]) < 1e-5} == {"pruned"}
    run = RunFolder(Path("runs/digits_mlp_sweep/0007").absolute())
    assert run.read(run.summary)["status"] == "pruned"
    assert run.read(run.summary)["epochs"] < 80


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["recipe=xor_mlp"], "there is nothing to search"),
        (["recipe=digits_mlp", "model.widht=1,2"], "Did you mean model.width"),
        (["recipe=digits_mlp", "model.width=1,2", "sweep.metric=val/accurcy"], "Did you mean val/accuracy"),
        (["recipe=digits_mlp", "model.width=0,2"], "model.width"),
        (["recipe=digits_mlp", "model.width=2,abc"], "must be a whole number"),
        (["recipe=digits_mlp", "model.width=2, range(1,3)"], "choices cannot contain ranges"),
        (["recipe=digits_mlp", "optimizer.lr=tag(logg,interval(1,2))"], "the only tag is log"),
        (["recipe=digits_mlp", "optimizer.lr=interval(1)"], "To search, type"),
        (["recipe=digits_mlp", "sweep=grid", "optimizer.lr=interval(1,2)"], "for a grid, give values"),
        (["recipe=digits_mlp", "model.width=1,2", "sweep.metric=[]"], "sweep.metric"),
        (["recipe=digits_mlp", "model.width=1,2", "sweep.trials=null"], "null is for sweep=grid"),
        (["recipe=digits_mlp", "model.width=1,2", "sweep.workers=100000"], "1000 or less"),
        (["recipe=digits_mlp", "model.width=1,2", "sweep.name=../x"], "letters, digits"),
        (["recipe=digits_mlp", "model.width=1,2", "run_dir=x"], "leave it out"),
        (["recipe=nosuch"], "no such recipe"),
        (["show", "nosuch"], "there is no sweep nosuch"),
        (["best"], "name one sweep"),
        (["recipe=digits_mlp", "model.width=1,2", "sweep.storage=nosuch://x"], "sweep.storage cannot be opened"),
    ],
)
def test_what_cannot_be_searched_is_told_before_the_first_trial(words: list[str], said: str, nn: Nn) -> None:
    done = nn("sweep", *words)
    assert done.returncode == 1, done.stdout
    assert said in done.stderr, done.stderr
    assert not list(Path().glob("runs/*"))


def test_a_preview_starts_nothing(nn: Nn) -> None:
    done = nn("sweep", "recipe=digits_mlp", "sweep=auto", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "optimizer.lr: 0.0001 to 0.1, log" in done.stdout
    assert "nothing was started" in done.stdout
    assert not list(Path().glob("runs/*/0*"))
