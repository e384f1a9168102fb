"""What `nn compare` shows of runs that were trained here."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from nncli.config.compose import compose
from nncli.insight.compare import judge
from nncli.run.fit import fit
from nncli.run.folder import RunFolder
from nncli.run.screen import Screen
from tests.cli.conftest import Here

# Lightning 2.6 asks torch for tree leaves in the way that torch 2.13 advises against.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")

NUMBERS = ("data=diabetes", "task=regression", "loss=mse", "model.num_outputs=1")
SERIES = ("data=sine", "task=forecast", "loss=mse", "model=nlinear", "data.length=16", "data.horizon=4")


def trained(name: str, *words: str) -> None:
    plain = ["trainer.max_epochs=2", "trainer.accelerator=cpu", "trainer.precision=32", "test=false"]
    fit(compose([*plain, *words, f"run_dir={name}"]), Screen("quiet"))


def test_runs_are_compared_by_config_metrics_curves_and_test(here: Here) -> None:
    trained("first")
    trained("seed", "seed=1")
    trained("stuck", "optimizer.lr=0.000001", "model.width=16")
    trained("split", "data.split.seed=1")
    shown = here("compare", "first", "seed", "stuck", "split", "--out", "c.png").out
    assert "optimizer.lr      0.003   0.003   1e-06   0.003" in shown, shown
    assert "* " in next(line for line in shown.splitlines() if "test/accuracy" in line)
    assert "seed: no real difference in test/accuracy" in shown
    assert "stuck: real: " in shown
    assert "points worse in test/accuracy" in shown
    assert "not tested: the samples of split are not those of first; in the configs, data.split.seed differs" in shown
    colours = {colour for _, colour in Image.open("c.png").convert("RGB").getcolors(10_000)}  # type: ignore[union-attr]
    assert {(31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40)} <= colours, "one for each run"
    told = json.loads(here("compare", "first", "seed", "stuck", "--part", "val", "--level", "0.01", "--json").out)
    assert told["config"]["seed"] == ["0", "1", "0"]
    assert [len(row["curves"]["val/accuracy"]) for row in told["runs"]] == [2, 2, 2]
    seed, stuck = told["verdicts"]
    first, other = (row["metrics"]["val/accuracy"] for row in told["runs"][::2])
    assert stuck["gain"] == pytest.approx(other - first)
    assert stuck["low"] < stuck["gain"] < stuck["high"] < 0
    assert (seed["real"], stuck["real"], stuck["samples"]) == (False, True, 270)


def test_wrong_words(here: Here) -> None:
    trained("first", "trainer.max_epochs=1", "trainer.max_steps=1")
    Path("mine.png").write_text("a stranger's")
    for words, text in {
        (): "name at least two runs",
        ("first",): "only first is named",
        ("first", "./first"): "first is named twice",
        ("first", "frist"): "no such run: frist",
        ("first", "first", "--out", "mine.png"): "was not drawn by nn",
    }.items():
        done = here("compare", *words)
        assert (done.code, text in done.err) == (1, True), done.err
    assert Path("mine.png").read_text() == "a stranger's"


@pytest.mark.parametrize(("words", "metric"), [(NUMBERS, "test/mse"), (SERIES, "test/mse")])
def test_the_scores_of_samples_average_to_the_metric(words: tuple[str, ...], metric: str, here: Here) -> None:
    trained("a", *words)
    trained("b", *words, "optimizer.lr=0.0001")
    one, other = judge(RunFolder(Path("a").absolute())), judge(RunFolder(Path("b").absolute()))
    assert (one.metric, one.samples, one.why) == (metric, other.samples, "")
    assert one.scores is not None
    assert float(one.scores.mean()) == pytest.approx(one.metrics[metric])
    assert one.overlap == (20 if "data=sine" in words else 1)
    assert f"in {metric} (95%" in here("compare", "a", "b").out


def test_a_task_that_gives_no_scores_is_judged_one_sample_at_a_time(here: Here) -> None:
    Path("my_tasks.py").write_text(TASK)
    Path("conf/task").mkdir(parents=True)
    Path("conf/task/mine.yaml").write_text(
        "# Mine.\ndefaults: [_parts, _self_]\n_target_: my_tasks.Mine\nmonitor: val/off\n"
    )
    words = ["train", "data=iris", "task=mine", "loss=mse", "model.num_outputs=4", "trainer.max_epochs=1", "-q"]
    for name, rate in {"a": 0.003, "b": 0.03}.items():
        assert here(*words, f"run_dir={name}", f"optimizer.lr={rate}", "--trust", "my_tasks").code == 0
    found = json.loads(here("compare", "a", "b", "--trust", "my_tasks", "--json").out)
    assert found["verdicts"][0]["metric"] == "test/off"
    gain = [row["metrics"]["test/off"] for row in found["runs"]]
    assert found["verdicts"][0]["gain"] == pytest.approx(gain[0] - gain[1], rel=1e-4)
    assert torch.tensor(gain).isfinite().all()


TASK = '''
from nncli.tasks.base import Task
import torch

class Mine(Task):
    """Reproduces the inputs."""
    metrics = {"off": "min"}

    def training_loss(self, batch):
        return (self(batch[0]) - batch[0]).square().mean()

    def predict(self, x):
        return self(x)

    def metric_sums(self, batch):
        x = batch[0]
        return torch.stack([x.new_tensor(len(x)), (self(x) - x).square().mean(dim=1).sum()])

    def metrics_from(self, sums):
        return {"off": sums[1] / sums[0]}
'''
