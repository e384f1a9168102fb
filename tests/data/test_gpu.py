"""Data on a GPU: it rests there when it fits, and a step does not wait for it."""

import pytest
import torch

from nncli.bench.loops import by_nn
from nncli.config.compose import compose
from nncli.data.base import Data, Parts
from nncli.data.rows import Ragged
from nncli.run.resolve import resolve_devices

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


class Noise(Data):
    """Pictures of noise: 20,000 of CIFAR's size."""

    def load(self) -> Parts:
        x, y = torch.randint(0, 256, (20_000, 3, 32, 32), dtype=torch.uint8), torch.arange(20_000) % 10
        return {"train": (x, y), "val": (x[:500], y[:500]), "test": (x[:500], y[:500])}


def noise(rests: str) -> Noise:
    data = Noise(512, [3, 32, 32], 10)
    data.setup()
    share = {"seed": 0, "rank": 0, "world": 1, "accumulate": 1, "limit": None, "overfit": 0}
    data.place(**share, rests=rests, device=torch.device("cuda"))  # pyright: ignore[reportArgumentType]
    return data


def test_a_set_that_fits_rests_on_the_gpu_and_one_can_say_otherwise() -> None:
    x, y = next(iter(noise("auto").train_dataloader()))
    assert (x.device.type, y.device.type) == ("cuda", "cuda")
    x, _ = next(iter(noise("memory").train_dataloader()))
    assert x.device.type == "cpu"
    assert x.is_pinned()


def test_the_same_samples_come_wherever_they_rest() -> None:
    on, off = (noise(rests).train_dataloader() for rests in ("device", "memory"))
    for (x, y), (a, b) in zip(on, off, strict=True):
        assert torch.equal(x.cpu(), a)
        assert torch.equal(y.cpu(), b)


def test_texts_are_filled_up_without_waiting_for_the_gpu() -> None:
    lengths = torch.tensor([3, 1, 2])
    rows = Ragged(torch.arange(2, 8), lengths.cumsum(0) - lengths, lengths, torch.arange(3)).to(torch.device("cuda"))
    which = torch.tensor([2, 0])
    rows.take(which)
    torch.cuda.set_sync_debug_mode("error")
    try:
        x, _ = rows.take(which)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert x.tolist() == [[6, 7, 0], [2, 3, 4]]


def test_a_step_does_not_wait_for_data_on_the_gpu() -> None:
    words = ["data.input_shape=[3,32,32]", "data.batch_size=512", "model=resnet", "trainer.accelerator=gpu"]
    config = resolve_devices(compose([*words, "trainer.max_steps=100", "trainer.max_epochs=1000", "test=false"]))
    assert by_nn(config, noise("auto"), 100).waiting < 0.01
