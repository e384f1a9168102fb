"""What all nets for pictures share: they export with a free batch size, and keep to channels_last on the way."""

from functools import partial

import pytest
import torch
from torch import nn

from nncli.models.alexnet import AlexNet
from nncli.models.densenet import DenseNet
from nncli.models.googlenet import GoogLeNet
from nncli.models.lenet import LeNet5
from nncli.models.vgg import VGG

SHAPE = [3, 32, 32]
NETS = {
    "lenet5": partial(LeNet5, SHAPE, 4, 6, "tanh", "average", 0.1),
    "alexnet": partial(AlexNet, SHAPE, 4, "cifar", 2, 8, "relu", 0.1),
    "vgg": partial(VGG, SHAPE, 4, 11, "imagenet", 2, 8, "batch", "relu", 0.1),
    "googlenet": partial(GoogLeNet, SHAPE, 4, "cifar", 4, 5, 0.1),
    "densenet": partial(DenseNet, SHAPE, 4, 40, "imagenet", 2, 0.1),
}


@pytest.mark.parametrize("name", NETS)
def test_exported_for_any_batch_it_says_the_same(name: str) -> None:
    net = NETS[name]().eval()
    free = ({0: torch.export.Dim("batch")},)
    exported = torch.export.export(net, (torch.randn(4, *SHAPE),), dynamic_shapes=free).module()
    x = torch.randn(7, *SHAPE)
    assert torch.allclose(exported(x), net(x), atol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_no_layer_leaves_channels_last(name: str) -> None:
    net = NETS[name]()
    net.to(memory_format=torch.channels_last)
    left: list[str] = []

    def look(layer: nn.Module, _given: object, made: torch.Tensor) -> None:
        if made.dim() == 4 and not made.is_contiguous(memory_format=torch.channels_last):
            left.append(repr(layer))

    for layer in net.modules():
        if not list(layer.children()):
            layer.register_forward_hook(look)
    net(torch.randn(2, *SHAPE).to(memory_format=torch.channels_last)).sum().backward()
    assert not left
