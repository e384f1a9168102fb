"""A run comes back from its folder alone: no data, no Lightning, nothing that the net itself does not need."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nncli.errors import CheckpointError
from nncli.run.fit import fit_words
from nncli.run.folder import RunFolder
from nncli.run.restore import restore, restore_task

Answers = dict[str, torch.Tensor]
SHORT = ("trainer.max_steps=4", "trainer.log_every=2", "data.batch_size=8", "test=false")
TABLE = ("data=csv", "data.path=table.csv", "transform=table", "data.target=kind")
TASKS: dict[str, tuple[str, ...]] = {
    "classification": (*TABLE, "model=mlp"),
    "distillation": (*TABLE, "task=distillation", "model_teacher.init_from=classification", "model.width=8"),
    "perceptron": (*TABLE, "task=perceptron", "model=perceptron", "loss=perceptron", "optimizer=sgd"),
    "regression": (*TABLE[:3], "data.target=size", "task=regression", "loss=mse"),
    "forecast": ("data=series", "data.path=series.csv", "data.length=12", "data.horizon=3"),
}
ALONE = """
import json, sys
from nncli.run.folder import find
from nncli.run.restore import restore_task
import torch
answers = {}
for name in sys.argv[1:]:
    _, task = restore_task(find(name))
    with torch.no_grad():
        answers[name] = task.predict(torch.load(name + '.pt')).tolist()
loaded = [m for m in ('lightning', 'sklearn', 'scipy', 'pandas', 'datasets', 'torchmetrics') if m in sys.modules]
print(json.dumps([answers, loaded]))
"""


@pytest.fixture(scope="module")
def gone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answers]:
    """A run of each task in a folder from which the data was then deleted; what each answered while it was there."""
    folder, patch = tmp_path_factory.mktemp("gone"), pytest.MonkeyPatch()
    patch.chdir(folder)
    dice = np.random.default_rng(0)
    x = dice.normal(size=(80, 3))
    lines = [f"{a:.4f},{b:.4f},{c:.4f},{a + b:.4f},{'yes' if a > b else 'no'}" for a, b, c in x]
    Path("table.csv").write_text("\n".join(["a,b,c,size,kind", *lines]) + "\n")
    steps = np.arange(200)
    values = np.sin(steps / 5) + 0.1 * dice.normal(size=200)
    Path("series.csv").write_text("\n".join(["value", *(f"{v:.4f}" for v in values)]) + "\n")
    answers = {}
    for name, words in TASKS.items():
        fit_words([*words, *SHORT, f"run_dir={name}"], show="quiet")
        _, parts = restore(RunFolder(Path(name).absolute()))
        x, _ = parts.data.parts["val"].span(0, 4)
        torch.save(x, f"{name}.pt")
        with torch.no_grad():
            answers[name] = parts.task.eval().predict(x)
    Path("table.csv").unlink()
    Path("series.csv").unlink()
    patch.undo()
    return folder, answers


def test_every_task_answers_as_before_and_nothing_else_is_loaded(gone: tuple[Path, Answers]) -> None:
    folder, expected = gone
    command = [sys.executable, "-c", ALONE, *expected]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers, loaded = json.loads(done.stdout)
    assert loaded == []
    for name, answer in expected.items():
        assert torch.equal(torch.tensor(answers[name], dtype=answer.dtype), answer), name


def test_every_shipped_task_is_among_them() -> None:
    shipped = {path.stem for path in (Path(__file__).parents[2] / "conf" / "task").glob("[!_]*.yaml")}
    assert shipped == set(TASKS)


def test_a_run_without_weights_says_so(gone: tuple[Path, Answers], tmp_path: Path) -> None:
    run = RunFolder(gone[0] / "regression")
    (run.checkpoints / "best.ckpt").rename(tmp_path / "kept")
    with pytest.raises(CheckpointError, match="has no best weights yet"):
        restore_task(run)
    (tmp_path / "kept").rename(run.checkpoints / "best.ckpt")
