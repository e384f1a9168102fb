"""EfficientNet against the published sizes, and that it learns."""

from typing import Any, Literal

import pytest
import torch
from torch.nn.functional import cross_entropy

from nncli.errors import NnError
from nncli.models.efficientnet import EfficientNet

SMALL: dict[str, Any] = {"size": "b0", "width": 0.25, "dropout": 0.0}


@pytest.mark.parametrize(
    ("size", "count"),
    [
        ("b0", 5_288_548),
        ("b1", 7_794_184),
        ("b2", 9_109_994),
        ("b3", 12_233_232),
        ("b4", 19_341_616),
        ("b5", 30_389_784),
        ("b6", 43_040_704),
        ("b7", 66_347_960),
    ],
)
def test_parameters_are_the_published_ones(size: Any, count: int) -> None:
    with torch.device("meta"):
        net = EfficientNet([3, 224, 224], 1000, size, "imagenet", 1.0, 0.2, 0.2)
    assert sum(weight.numel() for weight in net.parameters()) == count


@pytest.mark.parametrize(("form", "sides", "last"), [("imagenet", 224, 7), ("cifar", 32, 4), ("imagenet", 32, 1)])
def test_last_stage_is_as_large_as_in_the_paper(form: Literal["imagenet", "cifar"], sides: int, last: int) -> None:
    with torch.device("meta"):
        net = EfficientNet([3, sides, sides], 10, "b0", form, 1.0, 0.2, 0.2).eval()
        x = torch.randn(2, 3, sides, sides)
        assert net.blocks(net.stem(x)).shape == (2, 320, last, last)
        assert net(x).shape == (2, 10)


def test_blocks_are_skipped_more_often_toward_the_end() -> None:
    torch.manual_seed(0)
    net = EfficientNet([3, 32, 32], 10, form="cifar", drop_path=0.8, **SMALL).train()
    drops = [block.drop_path.rate for block in net.blocks]  # pyright: ignore[reportAttributeAccessIssue]
    assert drops == pytest.approx([0.8 * place / 16 for place in range(16)])
    x = torch.randn(1, 3, 32, 32).expand(8, -1, -1, -1)
    assert net(x).std(0).max() > 1e-3, "equal pictures take equal ways while training"
    net.eval()
    assert torch.allclose(net(x)[0], net(x)[1])


@pytest.mark.parametrize(
    ("form", "told"),
    [("imagenet", "32x32 or more, not input_shape .*; model.form=cifar takes"), ("cifar", "8x8 .*; set model=mlp")],
)
def test_a_picture_that_is_too_small_is_told(form: Literal["imagenet", "cifar"], told: str) -> None:
    with pytest.raises(NnError, match=f"model=efficientnet needs pictures of {told}") as error:
        EfficientNet([1, 8, 7], 10, form=form, drop_path=0.0, **SMALL)
    assert "input_shape [1, 8, 7]" in str(error.value)


@pytest.mark.parametrize(("zero", "steps"), [(False, 25), (True, 5)])
def test_learns_noise_by_heart_unless_all_weights_are_zero(zero: bool, steps: int) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(16, 1, 8, 8), torch.arange(16) % 4
    net = EfficientNet([1, 8, 8], 4, form="cifar", drop_path=0.0, **SMALL)
    if zero:
        for weight in net.parameters():
            torch.nn.init.zeros_(weight)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] > 1.38 if zero else losses[-1] < 0.3, losses
