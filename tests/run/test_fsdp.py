"""Two gloo ranks on a CPU that share out a net train as one does, and leave the same files."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh

import nncli
from nncli.errors import ConfigError, NnError, Stopped, TrainingFailed
from nncli.run.checkpoint import load
from nncli.run.fit import check_words, fit_words, resume
from nncli.run.folder import RunFolder
from nncli.run.learner import Learner
from nncli.run.screen import Screen
from nncli.run.sharding import shard
from tests.run.ranks import forked as forked
from tests.run.ranks import on_two_ranks
from tests.run.test_moments import same
from tests.run.test_resume import rows

PLACE = ["trainer.accelerator=cpu", "trainer.precision=32", "trainer.threads=1"]
TINY = [*PLACE, "data=digits", "data.batch_size=64", "trainer.limit_batches=4", "trainer.log_every=2"]
MLP = [*TINY, "model=mlp", "model.width=18", "trainer.max_epochs=3", "checkpoint.every_n_steps=2"]
FSDP = ["trainer=fsdp", "trainer.devices=2"]
EVERYTHING = [
    *("trainer.accumulate=2", "regularization=none", "regularization.grad_clip=0.2", "regularization.weight_decay=0.1"),
    *("optimizer=adamw", "groups.train=head", "groups.thaw=1", "groups.layer_decay=0.5", "groups.l1=0.001"),
]
KINDS = {
    "everything": [*MLP, *EVERYTHING],
}
SLOW_KINDS = {
    "clipped_by_value": [*MLP, "regularization=none", "trainer.grad_clip_by=value", "regularization.grad_clip=0.01"],
    "muon": [*MLP, "regularization=none", "optimizer=muon"],
    "compiled": [*MLP, "regularization=none", "trainer.compile=true"],
    "vit": [*TINY, "model=vit", "regularization=none", "trainer.max_steps=6", "optimizer=momentum"],
}


def trained(*words: str) -> RunFolder:
    return fit_words([*words], show="quiet")


def gone_on(run: RunFolder, *words: str) -> None:
    resume(run, words, Screen("quiet"))


def assert_close(one: RunFolder, two: RunFolder) -> None:
    """The same weights, what optimizers keep, and rows, but for rounding."""
    a, b = (load(run.checkpoints / "last.ckpt") for run in (one, two))
    assert list(a["state_dict"]) == list(b["state_dict"])
    for mine, other in zip(leaves(a), leaves(b), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-4)
    for row, other_row in zip(rows(one.path), rows(two.path), strict=True):
        mine, other = ({k: float(v) for k, v in each.items() if v} for each in (row, other_row))
        assert mine == pytest.approx(other, abs=1e-5)


def leaves(state: dict[str, Any]) -> list[Tensor]:
    kept = [found for optimizer in state["optimizer_states"] for found in optimizer["state"].values()]
    return [*state["state_dict"].values(), *(v for found in kept for v in found.values() if isinstance(v, Tensor))]


@pytest.mark.parametrize(
    "kind", [*KINDS, *(pytest.param(kind, marks=pytest.mark.slow) for kind in SLOW_KINDS)], ids=str
)
@pytest.mark.usefixtures("forked")
def test_two_ranks_learn_what_one_learns(kind: str) -> None:
    words = (KINDS | SLOW_KINDS)[kind]
    assert_close(trained(*words), trained(*words, *FSDP))


@pytest.mark.usefixtures("forked")
def test_its_checkpoints_are_whole_and_go_on_anywhere() -> None:
    """A run that was shared out is evaluated, asked and resumed on one device, and one of one device is shared out."""
    words = [*MLP, "regularization=none", "optimizer=momentum", "scheduler=constant"]
    whole = trained(*words, "trainer.max_epochs=6")
    shared = ["trainer.strategy=fsdp", "trainer.devices=2"]
    for before, after in ((shared, ["trainer.devices=1"]), (shared, ["trainer.strategy=ddp"]), ([], shared)):
        run = trained(*words, *before)
        gone_on(run, "trainer.max_epochs=6", *after)
        state, there = (load(r.checkpoints / "last.ckpt")["state_dict"] for r in (run, whole))
        for name in there:
            torch.testing.assert_close(state[name], there[name], atol=1e-5, rtol=1e-4)
    pictures = torch.randint(0, 17, (9, 1, 8, 8))
    torch.testing.assert_close(nncli.load(run.path).predict(pictures), nncli.load(whole.path).predict(pictures))


@pytest.mark.usefixtures("forked")
def test_a_part_with_fewer_samples_than_ranks_is_evaluated() -> None:
    words = [
        *PLACE,
        "data=moons",
        "data.size=20",
        "data.batch_size=8",
        "data.split.val=0.05",
        "data.split.test=0.05",
    ]
    words += ["model=mlp", "trainer.max_epochs=2", "regularization=none"]
    assert_close(trained(*words), trained(*words, *FSDP, "trainer.timeout=20"))


@pytest.mark.parametrize("signum", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
@pytest.mark.usefixtures("forked")
def test_a_run_that_is_ended_and_resumed_is_the_one_that_never_was(
    signum: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*MLP, *EVERYTHING, *FSDP, "regularization.dropout=0.2", "checkpoint.every_n_steps=1"]
    whole = trained(*words)
    real = Learner._step_over

    def ended(learner: Learner, micro: int) -> None:
        real(learner, micro)
        if learner.step == 3 and learner.trainer.global_rank == 1:
            os.kill(os.getpid() if signum == signal.SIGKILL else os.getppid(), signum)
            time.sleep(0.5)  # in which the parent passes it on

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "_step_over", ended)
        with pytest.raises((TrainingFailed, Stopped)) as caught:
            trained(*words, "run_dir=cut")
    assert ("rank 1 ended by signal 9" in str(caught.value)) == (signum == signal.SIGKILL)
    cut = RunFolder(Path("cut").absolute())
    gone_on(cut)
    assert same(whole.path, cut.path) == []


@pytest.mark.usefixtures("forked")
def test_a_loss_that_is_no_number_ends_both_and_is_never_saved() -> None:
    with pytest.raises(TrainingFailed, match="the loss is not a number from step"):
        trained(*MLP, *FSDP, "regularization=none", "optimizer=sgd", "optimizer.lr=1e30", "run_dir=bad")
    states = [load(file)["state_dict"] for file in Path("bad/checkpoints").glob("*.ckpt")]
    assert all(torch.isfinite(weight).all() for state in states for weight in state.values())


class Net(nn.Module):
    """Blocks in a stack, a weight of its own, a method besides forward, and a view as its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(6, 6), nn.ReLU(inplace=True)) for _ in range(3))
        self.scale = nn.Parameter(torch.full((5,), 0.5))
        self.head = nn.Linear(6, 5)

    def features(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        return (self.head(self.features(x)) * self.scale).view(-1)


def task_of(*nets: nn.Module) -> Any:
    return SimpleNamespace(turns=lambda: [SimpleNamespace(net=net) for net in nets])


def seeded(make: Callable[[], nn.Module]) -> Any:
    torch.manual_seed(0)
    return make()


def learn(net: Any, x: Tensor, loss: Callable[[Any, Tensor], Tensor]) -> list[Tensor]:
    """The losses of some steps."""
    optimizer, found = torch.optim.SGD(net.parameters(), 0.02), []
    for _ in range(5):
        optimizer.zero_grad()
        found.append(loss(net, x))
        found[-1].backward()
        optimizer.step()
    return [each.detach() for each in found]


def test_methods_views_and_what_is_evaluated_between_steps_gather_the_weights() -> None:
    def loss(net: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            shift = net(torch.ones(1, 6)).mean()
        answers = net(x)
        answers += shift
        return answers.square().mean() + (net.features(x) - net.scale.sum()).square().mean()

    def work(rank: int) -> None:
        one, two = seeded(Net), seeded(Net)
        (shared,) = shard(task_of(two, two), init_device_mesh("cpu", (2,)))
        assert shared is two
        assert sum(p.to_local().numel() for p in two.parameters()) < 0.6 * 166
        x = torch.randn(8, 6)
        alone, ours = learn(one, x, loss), torch.stack(learn(two, x[rank * 4 : rank * 4 + 4], loss))
        distributed.all_reduce(ours)
        torch.testing.assert_close(ours / 2, torch.stack(alone))

    on_two_ranks(work)


def test_what_cannot_be_shared_out_is_refused() -> None:
    def work(rank: int) -> None:
        mesh = init_device_mesh("cpu", (2,))
        tied, other, scalar = Net(), Net(), Net()
        other.head = tied.head
        with pytest.raises(NnError, match="weights that several nets share, as Net: choose ddp"):
            shard(task_of(tied, other), mesh)
        scalar.scale = nn.Parameter(torch.zeros(()))
        with pytest.raises(NnError, match="cannot shard scale, a weight without dimensions"):
            shard(task_of(scalar), mesh)
        with pytest.raises(NnError, match="ParameterList, which has weights but no forward"):
            shard(task_of(nn.ParameterList([nn.Parameter(torch.zeros(3))])), mesh)

    on_two_ranks(work)


def test_weights_that_are_tied_in_a_net_stay_tied() -> None:
    def make() -> nn.Module:
        net = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))
        net[2].weight = net[0].weight
        return net

    def work(rank: int) -> None:
        one, two = seeded(make), seeded(make)
        shard(task_of(two), init_device_mesh("cpu", (2,)))
        x = torch.randn(8, 6)
        learn(one, x, lambda net, x: net(x).square().mean())
        learn(two, x[rank * 4 : rank * 4 + 4], lambda net, x: net(x).square().mean())
        assert two[2].weight is two[0].weight
        torch.testing.assert_close(two[0].weight.full_tensor(), one[0].weight)

    on_two_ranks(work)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["regularization.ema=0.9"], "regularization.ema"),
        (["optimizer=schedule_free"], "trainer.strategy"),
        (["optimizer=lbfgs", "scheduler=constant"], "trainer.strategy"),
        (["optimizer=adafactor"], "trainer.strategy"),
        (["trainer.channels_last=true"], "trainer.channels_last"),
        (["data.batch_size=65"], "data.batch_size"),
    ],
)
def test_what_does_not_go_with_it_is_told_up_front(words: list[str], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_words([*MLP[:4], *(["data.batch_size=64"] if key != "data.batch_size" else []), *FSDP, *words])
    assert [problem.key for problem in caught.value.problems] == [key]
