"""One config trained several times: on folds, from several seeds; killed and continued."""

import json
import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold, train_test_split
from torch import Tensor, nn
from torch.nn import functional

from nncli.config.compose import load_frozen
from nncli.errors import ConfigError, NnError
from nncli.run.assemble import load_data
from nncli.run.folder import RunFolder, find
from nncli.run.model import load
from nncli.run.processes.jobs import Job
from nncli.run.repeats import Kind, repeats, spread
from tests.conftest import Begin, Nn

WINE: Any = load_wine()
ALONE = ("trainer.accelerator=cpu", "trainer.precision=32")
FEW = ("recipe=wine_mlp", *ALONE, "trainer.max_epochs=30", "folds=3")


def test_the_interval_is_students() -> None:
    values = [0.91, 0.95, 0.97, 0.94, 0.99]
    found = spread(values)
    low, high = stats.t.interval(0.95, 4, loc=sum(values) / 5, scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.mean == pytest.approx(0.952)


@pytest.mark.parametrize(
    ("kind", "words", "key", "text"),
    [
        ("folds", ["folds=1"], "folds", "a whole number, 2 or more"),
        ("folds", [], "folds", "a whole number, 2 or more"),
        ("folds", ["folds=3", "folds=4"], "folds", "a whole number, 2 or more"),
        ("seeds", ["seeds=0"], "seeds", "a whole number, 2 or more"),
        ("seeds", ["seeds=many"], "seeds", "a whole number, 2 or more"),
        ("folds", ["data=etth1", "folds=3"], "folds", "its parts are fixed"),
        ("folds", ["folds=3", "data.split.fold=[0,3]"], "data.split.fold", "leave it out"),
        ("folds", ["folds=3", "run_dir=x"], "run_dir", "leave it out"),
        ("folds", ["folds=3", "name=../x"], "name", "letters, digits"),
    ],
)
def test_wrong_words_are_refused_with_those_of_the_config(kind: Kind, words: list[str], key: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        repeats(kind, [*words, "model.widht=3"])
    found = {problem.key: problem.text for problem in caught.value.problems}
    assert text in found[key]
    assert "model.width" in found["model.widht"]


def test_more_folds_than_rows_are_refused_before_there_is_a_folder() -> None:
    with pytest.raises(NnError, match=r"178 rows make at most 178"):
        repeats("folds", ["recipe=wine_mlp", "folds=179"]).train(print)
    assert not Path("runs").exists()


def test_seeds_begin_with_the_one_that_is_typed() -> None:
    found = repeats("seeds", ["recipe=wine_mlp", "seed=7", "seeds=3", "name=wide"])
    assert list(found.places) == [7, 8, 9]
    assert [run.path for run in found.runs] == [Path.cwd() / "runs" / "wide" / str(seed) for seed in (7, 8, 9)]


@pytest.mark.parametrize("signum", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_killed_cross_validation_continues(signum: int, nn: Nn, begin: Begin, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "wine_mlp_cv"
    runs = [RunFolder(folder / str(i)) for i in range(3)]
    parent = begin("cv", *FEW)
    _until(lambda: runs[0].status() == "finished")
    os.kill(parent.pid, signum)
    assert parent.wait() == (-signum if signum == signal.SIGKILL else 128 + signum)
    _until(lambda: not any(run.path.exists() and run.is_busy() for run in runs))
    before = runs[0].checkpoints.joinpath("last.ckpt").stat().st_mtime_ns
    done = nn("cv", *FEW, "--json")
    assert done.returncode == 0, done.stderr
    assert runs[0].checkpoints.joinpath("last.ckpt").stat().st_mtime_ns == before, "it was trained again"
    _check(json.loads(done.stdout), runs)

    again = nn("cv", *FEW)
    assert "95% interval" in again.stdout
    assert "finished" not in again.stdout, "a run was trained again"
    other = nn("cv", *FEW, "model.width=8")
    assert (other.returncode, "was begun with model.width = 32, and now it is 8" in other.stderr) == (1, True)
    fewer = nn("cv", *FEW[:-1], "folds=4")
    assert (fewer.returncode, "was begun with folds = 3, and now it is 4" in fewer.stderr) == (1, True)
    with pytest.raises(NnError, match="there are no runs"):
        find("last")


def _until(true: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def _check(facts: dict[str, Any], runs: list[RunFolder]) -> None:
    """Every row is predicted once, by a run that knows nothing of it."""
    table = pl.read_csv(facts["predictions"])
    assert sorted(table["row"]) == list(range(178))
    assert (table["target"].to_numpy() == WINE.target[table["row"].to_numpy()]).all()
    for fold, run in enumerate(runs):
        mine, model = table.filter(pl.col("fold") == fold), load(run.path)
        accuracy = (mine["target"] == mine["class"]).mean()
        assert accuracy == pytest.approx(facts["runs"][fold]["metrics"]["test/accuracy"])
        taken = load_data(model.config).split.taken
        assert sorted(taken["test"].tolist()) == sorted(mine["row"])
        assert not set(taken["train"].tolist()) & set(mine["row"])
        mean = torch.from_numpy(WINE.data[taken["train"].numpy()]).mean(0).float()
        assert torch.allclose(model.task.transform.standardize.mean.flatten(), mean, rtol=1e-4)
    accuracies = [one["metrics"]["test/accuracy"] for one in facts["runs"]]
    assert facts["spread"]["test/accuracy"]["mean"] == pytest.approx(sum(accuracies) / 3)


def test_seeds_are_trained_side_by_side(nn: Nn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / 'odd, "name"'
    monkeypatch.setenv("NN_RUNS", str(folder))
    words = ("train", "recipe=wine_mlp", *ALONE, "trainer.max_epochs=2")
    done = nn(*words, "seeds=2")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[-6:-1]] == ["0", "1", "mean", "deviation", "95%"]
    assert sorted(path.name for path in (folder / "wine_mlp_seeds").glob("[0-9]*")) == ["0", "1"]
    facts = json.loads(nn(*words, "seeds=2", "--json").stdout)
    assert [one["seed"] for one in facts["runs"]] == [0, 1]
    assert facts["spread"]["test/loss"]["deviation"] > 0


def test_more_seeds_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []

    def train_all(jobs: Sequence[Job], *_: object) -> None:
        for job in jobs:
            trained.append(load_frozen(job.config()).tree.seed)
            job.run.path.mkdir()
            job.run.write(job.run.summary, {"status": "finished"})

    monkeypatch.setattr("nncli.run.repeats.train_all", train_all)
    words = ["recipe=wine_mlp"]
    assert [repeats("seeds", [*words, f"seeds={count}"]).train(print) for count in (2, 2, 4)] == [2, 0, 2]
    assert repeats("seeds", [*words, "seed=2", "seeds=3"]).train(print) == 1
    assert trained == [0, 1, 2, 3, 4]
    with pytest.raises(NnError, match=r"was begun with optimizer\.lr = 0\.003, and now it is 0\.1; .* name="):
        repeats("seeds", [*words, "optimizer.lr=0.1", "seeds=2"]).train(print)


# the same net, trained by hand


def _by_hand(train: tuple[Tensor, Tensor], val: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], seed: int) -> float:
    """The accuracy on `test` of what recipes/wine_mlp.yaml trains, at the last epoch with the best one on `val`."""
    torch.manual_seed(seed)
    mean, std = train[0].mean(0), train[0].std(0, correction=0)
    (x, y), (x_val, y_val), (x_test, y_test) = (((a - mean) / std, b) for a, b in (train, val, test))
    hidden = [nn.Sequential(nn.Linear(size, 32), nn.ReLU(), nn.Dropout(0.1)) for size in (13, 32)]
    net = nn.Sequential(*hidden, nn.Linear(32, 3))
    decayed = [p for p in net.parameters() if p.dim() > 1]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": [p for p in net.parameters() if p.dim() == 1]}]
    optimizer = torch.optim.AdamW(groups, lr=0.003, weight_decay=0.0)
    steps, warmup = 30 * (len(y) // 16), round(0.05 * 30 * (len(y) // 16))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda t: (
            (t + 1) / warmup if t < warmup else 0.5 * (1 + math.cos(math.pi * (t - warmup) / max(1, steps - warmup)))
        ),
    )
    best = (-1.0, 0.0)
    for _ in range(30):
        net.train()
        for rows in torch.randperm(len(y)).split(16):
            if len(rows) == 16:
                optimizer.zero_grad()
                functional.cross_entropy(net(x[rows]), y[rows], label_smoothing=0.1).backward()
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
                schedule.step()
        net.eval()
        with torch.no_grad():
            found = [(net(a).argmax(1) == b).float().mean().item() for a, b in ((x_val, y_val), (x_test, y_test))]
        best = max((found[0], found[1]), best, key=lambda one: one[0])  # of equal ones the last
    return best[1]


@pytest.mark.slow
def test_it_equals_folds_written_by_hand(nn: Nn) -> None:
    done = nn("cv", "recipe=wine_mlp", *ALONE, "folds=10", "--json", timeout=600)
    assert done.returncode == 0, done.stderr
    ours = json.loads(done.stdout)["spread"]["test/accuracy"]
    x, y = torch.from_numpy(WINE.data).float(), torch.from_numpy(WINE.target)
    theirs = []
    for seed, (rest, test) in enumerate(StratifiedKFold(10, shuffle=True, random_state=0).split(x, y)):
        train, val = train_test_split(rest, test_size=27, stratify=y[rest], random_state=seed)
        theirs.append(_by_hand((x[train], y[train]), (x[val], y[val]), (x[test], y[test]), seed))
    hand = spread(theirs)
    print(f"nn cv {ours}\nby hand {hand}")
    assert ours["low"] <= hand.mean <= ours["high"]
    assert hand.low <= ours["mean"] <= hand.high
