"""Series made larger or smaller."""

import torch

from nncli.transforms.scale import Scale


def test_a_channel_of_a_series_is_multiplied_by_one_number() -> None:
    torch.manual_seed(0)
    x = torch.rand(2000, 12, 3) + 1
    factor = Scale(0.1)(x) / x
    assert torch.allclose(factor, factor[:, :1].expand_as(factor), atol=1e-5), "the same at every step"
    assert 0.097 < factor[:, 0].std() < 0.103
    assert 0.99 < factor.mean() < 1.01
    assert abs(torch.corrcoef(factor[:, 0].T)[0, 1]) < 0.1, "its own for each channel"
