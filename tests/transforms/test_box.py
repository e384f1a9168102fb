"""Rectangles in images."""

import torch

from nncli.transforms.box import box


def test_a_rectangle_over_the_edge_ends_there_and_one_without_height_is_empty() -> None:
    numbers = [torch.tensor(n) for n in ([1, -1, 2], [2, 3, 0], [0, 3, 0], [3, 9, 4])]
    inside = box(torch.zeros(3, 2, 4, 5), *numbers)[:, 0]
    assert inside[0].nonzero().tolist() == [[row, column] for row in (1, 2) for column in (0, 1, 2)]
    assert inside[1].nonzero().tolist() == [[row, column] for row in (0, 1) for column in (3, 4)]
    assert not inside[2].any()
