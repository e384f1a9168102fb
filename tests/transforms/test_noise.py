"""Noise on every value."""

import torch

from nncli.transforms.noise import Noise


def test_adds_noise_of_the_asked_deviation_to_images_tables_and_series() -> None:
    torch.manual_seed(0)
    for shape in ([64, 3, 16, 16], [4096, 8], [512, 40, 3]):
        x = torch.randn(shape)
        added = Noise(0.1)(x) - x
        assert abs(added.mean()) < 0.005
        assert 0.097 < added.std() < 0.103
