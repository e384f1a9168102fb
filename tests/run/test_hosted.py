"""A LightningModule and a LightningDataModule as people wrote them for LightningCLI: trained as they are."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import nncli
from nncli.config.compose import load_frozen
from nncli.errors import ConfigError, NnError, TrainingFailed
from nncli.run.checkpoint import load
from nncli.run.eval import judged
from nncli.run.fit import fit_words, resume
from nncli.run.folder import RunFolder
from nncli.run.screen import Screen

MINE = '''
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset, random_split
from lightning.pytorch import LightningDataModule, LightningModule


class Blobs(LightningDataModule):
    def __init__(self, batch_size: int = 16, size: int = 240) -> None:
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage: str) -> None:
        dice = torch.Generator().manual_seed(1)
        y = torch.arange(self.hparams.size) % 2
        x = torch.randn(self.hparams.size, 2, generator=dice) + 3.0 * y[:, None]
        self.train, self.val, self.test = random_split(TensorDataset(x, y), [0.7, 0.15, 0.15], generator=dice)

    def train_dataloader(self):
        return DataLoader(self.train, self.hparams.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, self.hparams.batch_size)

    def test_dataloader(self):
        return DataLoader(self.test, self.hparams.batch_size)


class Usual(LightningModule):
    """As in Lightning's own introduction."""

    def __init__(self, width: int = 8, lr: float = 0.03) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 2))
        self.hooks = []

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def _judge(self, batch, name):
        x, y = batch
        out = self(x)
        self.log(f"{name}_loss", F.cross_entropy(out, y))
        self.log(f"{name}_acc", (out.argmax(1) == y).float().mean())

    def validation_step(self, batch, batch_idx):
        self._judge(batch, "val")

    def test_step(self, batch, batch_idx):
        self._judge(batch, "test")

    def on_train_epoch_end(self):
        self.hooks.append(self.current_epoch)

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), self.hparams.lr)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.9)]


class TwoOptimizers(Usual):
    """With manual optimization: a second net learns to say where the first one errs."""

    def __init__(self, width: int = 8) -> None:
        super().__init__(width)
        self.automatic_optimization = False
        self.judge = nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        first, second = self.optimizers()
        loss = F.cross_entropy(self(x), y)
        first.zero_grad()
        self.manual_backward(loss)
        first.step()
        wrong = (self(x).argmax(1) != y).float()[:, None].detach()
        doubt = F.binary_cross_entropy_with_logits(self.judge(x), wrong)
        second.zero_grad()
        self.manual_backward(doubt)
        second.step()
        self.log_dict({"train_loss": loss, "doubt": doubt})

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters(), 0.03), torch.optim.SGD(self.judge.parameters(), 0.1)


class Late(Usual):
    """Logs its validation loss when the epoch ends: 3, 1, 2, 4."""

    def validation_step(self, batch, batch_idx):
        pass

    def on_train_epoch_end(self):
        self.log("val_loss", [3.0, 1.0, 2.0, 4.0][self.current_epoch])


class Apart(Usual):
    """Its ranks see their losses move in opposite ways."""

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", float(self.current_epoch) * (1 if self.global_rank else -1))


class Greedy(Usual):
    def __init__(self, num_classes: int = 2, net: str = "x", loss: str = "y") -> None:
        super().__init__()


class Broken(Usual):
    def training_step(self, batch, batch_idx):
        raise ValueError("no such thing")
'''
WORDS = ["data._target_=lit.Blobs", "trainer.max_epochs=3", "trainer.precision=32", "trainer.accelerator=cpu"]


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "lit.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("lit", None)  # other tests have a module of that name
    yield
    sys.modules.pop("lit", None)


def trained(name: str, *words: str) -> RunFolder:
    return fit_words([f"task._target_=lit.{name}", *WORDS, *words], show="quiet", trust={"lit"})


def rows(run: RunFolder) -> list[dict[str, str]]:
    with open(run.metrics) as f:
        return list(csv.DictReader(f))


@pytest.mark.parametrize("name", ["Usual", "TwoOptimizers"])
def test_it_trains_is_resumed_and_evaluated_by_its_own_hooks(name: str) -> None:
    run = trained(name, "task.width=6", "data.batch_size=8")
    summary = json.loads(run.summary.read_text())
    assert summary["status"] == "finished"
    assert summary["epochs"] == 3
    assert summary["metrics"]["test_acc"] > 0.9
    assert {"train_loss", "val_loss", "val_acc"} <= rows(run)[0].keys()
    assert load(run.checkpoints / "last.ckpt")["state_dict"]["net.0.weight"].shape == (6, 2)
    resume(run, ["trainer.max_epochs=5"], Screen("quiet"), trust={"lit"})
    assert [row["epoch"] for row in rows(run)] == ["0", "1", "2", "3", "4"]
    found = judged([run], part="test", trust={"lit"})["metrics"]
    assert found["test_acc"] == pytest.approx(json.loads(run.summary.read_text())["metrics"]["test_acc"])


def test_the_best_weights_are_those_of_the_lowest_validation_loss() -> None:
    run = trained("Usual", "task.lr=0.3", "trainer.max_epochs=8")
    losses = [float(row["val_loss"]) for row in rows(run)]
    best = load(run.checkpoints / "best.ckpt")["nncli"]
    assert best["best"]["value"] == pytest.approx(min(losses))


def test_a_step_that_raises_is_told_and_the_run_failed() -> None:
    with pytest.raises(TrainingFailed, match="no such thing"):
        trained("Broken")


def test_nothing_of_the_defaults_of_nn_reaches_it() -> None:
    run = trained("Greedy", "trainer.max_epochs=1")
    tree = load_frozen(run.config, trust={"lit"}).tree
    assert dict(tree.task) == {"_target_": "lit.Greedy"}
    assert dict(tree.data) == {"_target_": "lit.Blobs"}
    assert tree.trainer.grad_clip is None
    assert run.path.parent.name == "Greedy"
    words = ["task._target_=lit.Usual", "data._target_=lit.Blobs", "trainer.max_epochs=1", "trainer.grad_clip=0.5"]
    typed = load_frozen(fit_words(words, show="quiet", trust={"lit"}).config, trust={"lit"}).tree.trainer
    assert (typed.grad_clip, typed.precision) == (0.5, "32")


def test_epochs_without_validation_choose_nothing() -> None:
    run = trained("Usual", "trainer.max_epochs=4", "trainer.val_every=2")
    validated = [row["val_loss"] != "" for row in rows(run)]
    assert validated == [False, True, False, True]
    best = load(run.checkpoints / "best.ckpt")["nncli"]["best"]
    assert best["value"] == pytest.approx(min(float(row["val_loss"]) for row in rows(run) if row["val_loss"]))


def test_what_is_logged_as_the_epoch_ends_is_of_that_epoch() -> None:
    run = trained("Late", "trainer.max_epochs=4")
    assert [float(row["val_loss"]) for row in rows(run)] == [3.0, 1.0, 2.0, 4.0]
    best, last = (load(run.checkpoints / name)["nncli"] for name in ("best.ckpt", "last.ckpt"))
    assert best["step"] == last["step"] // 2


def test_columns_that_come_later_move_no_value() -> None:
    run = trained("Usual", "trainer.max_epochs=1", "trainer.val_every=2")
    before = rows(run)[0]
    resume(run, ["trainer.max_epochs=4"], Screen("quiet"), trust={"lit"})
    assert {k: rows(run)[0][k] for k in before} == before
    assert [row["epoch"] for row in rows(run)] == ["0", "1", "2", "3"]
    assert float(rows(run)[3]["time_s"]) > float(rows(run)[0]["time_s"])


def test_ranks_choose_together(tmp_path: Path) -> None:
    words = ["task._target_=lit.Apart", *WORDS, "trainer.max_epochs=3", "trainer.devices=2", "run_dir=two"]
    command = [sys.executable, "-m", "nncli", "train", *words, "--trust", "lit", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [abs(float(row["val_loss"])) for row in rows(RunFolder(tmp_path / "two"))] == [0.0, 0.0, 0.0]


def test_what_is_made_for_tasks_is_refused() -> None:
    with pytest.raises(NnError, match=r"averaging the weights .*lit\.Usual is a LightningModule"):
        trained("Usual", "regularization.ema=0.9")
    run = trained("Usual", "trainer.max_epochs=1")
    with pytest.raises(NnError, match="is a LightningModule of your own"):
        nncli.load(run.path, trust={"lit"})


def test_what_it_does_not_take_is_reported() -> None:
    with pytest.raises(ConfigError) as caught:
        trained("Usual", "task.widht=6", "optimizer.lr=0.1")
    codes = {p.key: p.code for p in caught.value.problems}
    assert codes == {"task.widht": "unknown-key", "optimizer.lr": "no-effect"}


def test_it_goes_on_from_the_last_epoch_that_ended() -> None:
    run = trained("Usual", "trainer.max_epochs=2")
    before = load(run.checkpoints / "last.ckpt")
    resume(run, ["trainer.max_epochs=3"], Screen("quiet"), trust={"lit"})
    after = load(run.checkpoints / "last.ckpt")
    steps = [next(iter(s["optimizer_states"][0]["state"].values()))["step"].item() for s in (before, after)]
    assert steps[1] == 1.5 * steps[0]
    assert torch.isfinite(after["state_dict"]["net.0.weight"]).all()
