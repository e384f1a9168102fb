"""Every choice of `transform`: random in training only, the same again from the same seed, drawn as it is trained."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf
from torch import Tensor

import nncli
from nncli.config import search_path
from nncli.config.document import read
from nncli.config.origin import Layers
from nncli.transforms.color import ColorJitter
from nncli.transforms.flip import Flip
from nncli.transforms.noise import Noise
from nncli.transforms.standardize import Standardize
from nncli.transforms.transform import Transform
from nncli.transforms.two_view import TwoView

CONF = [Path(nncli.__file__).parent.parent / "conf"]


def tree(choice: str) -> dict[str, Any]:
    """A choice with what it shares with others."""
    layers = Layers()
    for path in search_path.files("transform", choice, CONF):
        layers.add(read(path))
    return layers.tree


ALL = {choice: tree(choice) for choice in search_path.options("transform", CONF)}
# the others need to know more of the data than its shape
CHOICES = {name: tree for name, tree in ALL.items() if "${" not in str(tree).replace("${data.input_shape}", "")}
assert len(CHOICES) >= 20
STILL = {"none", "standardize", "series", "tokens", "mixup"}  # these change no input of their own accord


def inputs(choice: str) -> Tensor:
    """A batch of the kind that a choice is for, well away from 0 and 255."""
    draw = torch.Generator().manual_seed(1)
    if choice.startswith("token"):
        return torch.randint(0, 50, (32, 40), generator=draw)
    if choice.startswith("series"):
        return torch.randn(32, 24, 3, generator=draw) * torch.tensor([1.0, 50.0, 0.1])
    return torch.randint(60, 190, (32, 3, 16, 16), generator=draw, dtype=torch.uint8)


def built(choice: str, x: Tensor) -> Transform:
    tree = {"data": {"input_shape": list(x.shape[1:])}, "transform": CHOICES[choice]}
    transform = instantiate(OmegaConf.create(tree).transform, _convert_="all")
    transform.fit(lambda: [x])
    return transform


def parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every node of a YAML that names a class of ours."""
    if isinstance(node, list):
        node = dict(enumerate(node))
    if isinstance(node, dict):
        if str(node.get("_target_", "")).startswith("nncli."):
            yield node
        for inner in node.values():
            yield from parts(inner)


@pytest.mark.parametrize("choice", sorted(ALL))
def test_every_argument_stands_in_the_yaml(choice: str) -> None:
    for node in parts(ALL[choice]):
        assert node.keys() - {"_target_"} == inspect.signature(get_class(node["_target_"])).parameters.keys()


@pytest.mark.parametrize("choice", sorted(CHOICES))
def test_the_same_seed_gives_the_same_pictures_and_judging_none(choice: str) -> None:
    x = inputs(choice)
    before, transform = x.clone(), built(choice, x)
    torch.manual_seed(3)
    first = transform(x)
    second = transform(x)
    torch.manual_seed(3)
    assert torch.equal(first, transform(x))
    assert torch.equal(first, second) == (choice in STILL)
    assert torch.equal(x, before), "the data itself must stay as it is"
    state = torch.get_rng_state()
    transform.eval()
    assert torch.equal(transform(x), transform.standardize(x))
    assert torch.equal(torch.get_rng_state(), state), "judging must not move the random state"


@pytest.mark.parametrize("choice", sorted(CHOICES.keys() - STILL - {"two_view", "token_drop"}))
def test_samples_of_a_batch_get_draws_of_their_own_and_bf16_the_same_ones(choice: str) -> None:
    x = inputs(choice)[:1].repeat(32, *[1] * (inputs(choice).dim() - 1))
    transform = built(choice, inputs(choice))
    torch.manual_seed(3)
    changed = transform(x)
    different = {tuple(sample.flatten().tolist()) for sample in changed}
    assert len(different) >= (2 if choice == "flip" else 8)
    torch.manual_seed(3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(transform(x), changed)


def test_what_is_drawn_is_what_is_trained_in_the_units_of_the_data() -> None:
    x = inputs("color")
    transform = Transform(Standardize([3, 16, 16]), [Noise(0.1), Flip(0.5, 0.5), ColorJitter(0.4, 0.4, 0.4, 0.1, 255)])
    transform.fit(lambda: [x])
    transform.eval()
    torch.manual_seed(0)
    drawn = transform.augmented(x)
    torch.manual_seed(0)
    assert torch.allclose(transform.standardize(drawn), transform.train()(x), atol=1e-4)
    assert 30 < drawn.mean() < 220
    still = Transform(transform.standardize, [])
    assert torch.allclose(still.augmented(x), x.float(), atol=1e-3)


def test_changes_of_pixels_see_pixels_wherever_they_stand_in_the_list() -> None:
    x = torch.full((4, 3, 4, 4), 100, dtype=torch.uint8)
    seen = []

    class Look(torch.nn.Module):
        pixels = True

        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return x

    transform = Transform(Standardize([3, 4, 4]), [Flip(0.5, 0.0), Look()])
    transform.fit(lambda: [x])
    assert torch.equal(transform(x), torch.zeros(4, 3, 4, 4))
    assert torch.equal(seen[0], x.float())


def test_two_views_are_two_changes_of_the_same_sample() -> None:
    x = torch.arange(1.0, 33).view(32, 1, 1, 1).expand(32, 1, 8, 8)
    views = TwoView(Standardize([1, 8, 8], kind="none"), [Noise(0.01)])
    both = views(x)
    assert both.shape == (32, 2, 1, 8, 8)
    assert torch.allclose(both, x[:, None], atol=0.1), "of the same sample"
    assert not torch.equal(both[:, 0], both[:, 1])
    assert views.augmented(x).shape == both.shape
    assert views.eval()(x).shape == x.shape
