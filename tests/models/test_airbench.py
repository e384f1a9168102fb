"""The speed record's net: its size, its whitening, its mirror images, and that both help it to learn."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import nncli
from nncli.data.rows import InMemory
from nncli.errors import NnError
from nncli.models.airbench import Airbench
from nncli.tasks.classification import Classification
from nncli.transforms.standardize import Standardize
from tests.tasks.parts import made


def photographs(count: int, size: int = 16) -> Tensor:
    """Pictures whose neighbouring pixels and channels resemble each other, as in photographs."""
    smooth = nn.functional.avg_pool2d(torch.randn(count, 3, size + 4, size + 4), 5, 1)
    return 3 * smooth + 2 * smooth.mean(1, keepdim=True)


def test_size_is_the_published_one() -> None:
    with torch.device("meta"):
        net = Airbench([3, 32, 32], 10, [64, 256, 256], 1 / 9, True)
        last = net.layers(net.whitening(torch.randn(2, 3, 32, 32)))
    weights = sum(weight.numel() for weight in net.parameters()) + net.whitening.weight.numel()
    assert weights == 24 * 12 + 24 + 9 * (24 * 64 + 64**2 + 64 * 256 + 3 * 256**2) + 4 * (64 + 2 * 256) + 2560
    assert round(weights / 1e6, 2) == 1.97
    assert last.shape == (2, 256, 3, 3)


@pytest.mark.parametrize("shape", [[3, 32, 32], [3, 224, 224], [1, 28, 28]])
def test_takes_pictures_of_any_size(shape: list[int]) -> None:
    net = Airbench(shape, 5, [4, 8, 8], 1 / 9, True)
    assert net(torch.randn(2, *shape)).shape == net.eval()(torch.randn(2, *shape)).shape == (2, 5)


def test_too_many_blocks_for_the_picture_are_told() -> None:
    told = r"model=airbench needs pictures of 9x9 or more, not input_shape \[1, 8, 8\]; use fewer model\.widths"
    with pytest.raises(NnError, match=told):
        Airbench([1, 8, 8], 10, [8, 8, 8], 1 / 9, False)


def test_fit_makes_patches_uncorrelated() -> None:
    torch.manual_seed(0)
    net, x = Airbench([3, 16, 16], 2, [8, 8], 1 / 9, False), photographs(600)
    net.fit_inputs(lambda: iter(x.split(200)))
    y = net.whitening(x).movedim(1, -1).flatten(0, -2)
    assert torch.equal(y[:, :12], -y[:, 12:]), "the second half are the negatives"
    assert torch.allclose(y[:, :12].T @ y[:, :12] / len(y), torch.eye(12), atol=0.1)


def test_whitening_travels_with_the_weights_and_is_not_trained() -> None:
    torch.manual_seed(0)
    net, x = Airbench([3, 16, 16], 2, [8, 8], 1 / 9, False), photographs(64)
    net.fit_inputs(lambda: [x])
    before = net.whitening.weight.clone()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1)
    net(x).sum().backward()
    optimizer.step()
    assert torch.equal(net.whitening.weight, before)
    assert net.whitening.bias.abs().max() > 0
    other = Airbench([3, 16, 16], 2, [8, 8], 1 / 9, False)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other.eval()(x), net.eval()(x))


def test_a_mirror_image_gets_the_same_answer_outside_training_only() -> None:
    torch.manual_seed(0)
    net, x = Airbench([3, 16, 16], 4, [8, 8], 1.0, True), torch.randn(4, 3, 16, 16)
    assert not torch.allclose(net(x), net(x.flip(3)))
    net.eval()
    assert torch.allclose(net(x), net(x.flip(3)), atol=1e-6)
    net.flip_test = False
    assert not torch.allclose(net(x), net(x.flip(3)), atol=1e-3)


def _accuracy(fitted: bool, zero: bool = False) -> float:
    """After 20 steps, telling which of two fine patterns is in a photograph, at a thirtieth of its contrast."""
    torch.manual_seed(0)
    x, y = photographs(448), torch.arange(448) % 2
    stripes = 0.05 * torch.where(y == 1, 1.0, -1.0)[:, None, None] * (-1.0) ** torch.arange(16)
    x[:, 0] += stripes
    x[:, 1] -= stripes
    net = Airbench([3, 16, 16], 2, [8, 16], 1 / 9, False)
    if fitted:
        net.fit_inputs(lambda: [x])
    if zero:
        for weight in net.parameters():
            nn.init.zeros_(weight)
    optimizer = torch.optim.SGD(net.parameters(), lr=3.0, momentum=0.85, nesterov=True)
    for step in range(20):
        rows = torch.arange(64) + 64 * (step % 5)
        optimizer.zero_grad()
        cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
    return (net.eval()(x[320:]).argmax(1) == y[320:]).float().mean().item()


def test_learns_in_twenty_steps_by_its_whitening() -> None:
    found = {"whitened": _accuracy(True), "as they are": _accuracy(False), "zeros": _accuracy(True, zero=True)}
    assert found["whitened"] > 0.8, found
    assert found["as they are"] < 0.7, found
    assert found["zeros"] <= 0.5, found


def test_a_task_takes_the_first_layer_from_its_inputs() -> None:
    torch.manual_seed(0)
    net = Airbench([3, 16, 16], 2, [4, 8, 8], 1 / 9, True)
    before = net.whitening.weight.clone()
    task = made(Classification, net, scale=Standardize([3, 16, 16]))
    task.fit_statistics(InMemory(photographs(64), torch.arange(64) % 2))
    assert not torch.equal(net.whitening.weight, before)
    assert task.transform.training


def test_its_recipe_learns_small_pictures_in_forty_steps(tmp_path: Path) -> None:
    """Stripes that lie or stand, wide or narrow, faint among noise, in the files that CIFAR-10 comes in."""
    torch.manual_seed(0)
    for name in [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]:
        y = torch.arange(120) % 4
        narrow = torch.where(torch.arange(32) % 4 < 2, 1.0, -1.0)
        wide = torch.where(torch.arange(32) % 8 < 4, 1.0, -1.0)
        kinds = torch.stack([line.expand(32, 32) for line in (narrow, wide)])
        x = 128 + 40 * photographs(len(y), 32) + 15 * torch.cat([kinds, kinds.mT])[y][:, None]
        rows = torch.cat([y[:, None], x.clamp(0, 255).flatten(1)], 1).to(torch.uint8)
        (tmp_path / name).write_bytes(rows.numpy().tobytes())
    words = [
        f"data.root={tmp_path}",
        "data.batch_size=50",
        "data.split.val=100",
        "data.num_classes=4",
        "model.widths=[8,16,16]",
    ]
    words += ["trainer.max_epochs=4", "trainer.precision=32", "trainer.threads=1"]
    run = nncli.fit(["recipe=cifar10_airbench", *words], show="quiet")
    assert run.read(run.summary)["metrics"]["test/accuracy"] > 0.8
