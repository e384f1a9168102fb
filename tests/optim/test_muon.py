"""Muon beside its formula in plain Python, beside torch's own, and what goes to AdamW."""

from functools import partial

import pytest
import torch
from torch import nn

from nncli.optim.groups import Groups
from nncli.optim.muon import Muon, orthogonal

LR, KEPT, DECAY, ADAM = 0.05, 0.9, 0.1, 0.02
Matrix = list[list[float]]


def times(a: Matrix, b: Matrix) -> Matrix:
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in zip(*b, strict=True)] for row in a]


def plus(*terms: tuple[float, Matrix]) -> Matrix:
    rows, columns = len(terms[0][1]), len(terms[0][1][0])
    return [[sum(k * m[i][j] for k, m in terms) for j in range(columns)] for i in range(rows)]


def newton_schulz(g: Matrix) -> Matrix:
    norm = sum(x * x for row in g for x in row) ** 0.5 + 1e-7
    x = [[value / norm for value in row] for row in g]
    for _ in range(5):
        a = times(x, [list(column) for column in zip(*x, strict=True)])
        b = plus((-4.775, a), (2.0315, times(a, a)))
        x = plus((3.4445, x), (1.0, times(b, x)))
    return x


def made(params: object, decay: float = DECAY, renormalize: bool = False) -> Muon:
    return Muon(
        params,  # pyright: ignore[reportArgumentType]
        lr=LR,
        momentum=KEPT,
        nesterov=True,
        iterations=5,
        adam_lr=ADAM,
        betas=(0.9, 0.99),
        eps=1e-8,
        weight_decay=decay,
        renormalize=renormalize,
    )


def test_is_the_formula_on_a_quadratic() -> None:
    w: Matrix = [[1.0, -0.5, 0.3], [0.2, 2.0, -1.0]]
    m: Matrix = [[0.0] * 3, [0.0] * 3]
    bends: Matrix = [[1.0, 4.0, 0.5], [2.0, 0.1, 1.0]]
    weight = nn.Parameter(torch.tensor(w, dtype=torch.float64))
    optimizer = made([weight])
    for _ in range(20):
        optimizer.zero_grad()
        (torch.tensor(bends, dtype=torch.float64) * weight.square() / 2).sum().backward()
        optimizer.step()
        g = [[b * x for b, x in zip(rb, rw, strict=True)] for rb, rw in zip(bends, w, strict=True)]
        m = plus((KEPT, m), (1 - KEPT, g))
        move = newton_schulz(plus((1 - KEPT, g), (KEPT, m)))
        w = plus((1 - LR * DECAY, w), (-LR, move))
        assert weight.flatten().tolist() == pytest.approx([x for row in w for x in row], rel=1e-6)


def test_matrices_move_as_torchs_own_moves_them() -> None:
    torch.manual_seed(0)
    for shape in ((8, 3), (3, 8)):
        one = nn.Parameter(torch.randn(shape))
        other = nn.Parameter(one.detach().clone())
        theirs = torch.optim.Muon([other], lr=LR, momentum=KEPT, weight_decay=DECAY)
        mine = made([one])
        for _ in range(5):
            for weight, optimizer in ((one, mine), (other, theirs)):
                optimizer.zero_grad()
                weight.square().sum().backward()
                optimizer.step()
        torch.testing.assert_close(one, other, atol=0.02, rtol=0)  # theirs computes in bfloat16


def test_vectors_move_as_adamw_moves_them() -> None:
    one = nn.Parameter(torch.tensor([1.0, -2.0]))
    other = nn.Parameter(one.detach().clone())
    theirs = torch.optim.AdamW([other], lr=ADAM, betas=(0.9, 0.99), weight_decay=DECAY)
    mine = made([one])
    for _ in range(20):
        for weight, optimizer in ((one, mine), (other, theirs)):
            optimizer.zero_grad()
            weight.pow(4).sum().backward()
            optimizer.step()
    torch.testing.assert_close(one, other)


def test_a_step_is_orthogonal_up_to_a_third() -> None:
    torch.manual_seed(0)
    for shape in ((20, 5), (5, 20), (8, 8)):
        sizes = torch.linalg.svdvals(orthogonal(torch.randn(shape), 5))
        assert 0.5 < sizes.min() < sizes.max() < 1.35


def test_filters_and_hidden_matrices_are_muons_the_rest_adamws() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(16, 8), nn.LayerNorm(8), nn.Linear(8, 2))
    groups = Groups(decay_vectors=False, layer_decay=1.0, l1=0.0)
    keywords = {"lr": LR, "momentum": KEPT, "nesterov": True, "iterations": 5, "adam_lr": ADAM, "betas": (0.9, 0.99)}
    optimizer = groups.make(partial(Muon, **keywords, eps=1e-8, weight_decay=DECAY, renormalize=False), net)
    found = [({tuple(w.shape) for w in g["params"]}, g["lr"], g["weight_decay"]) for g in optimizer.param_groups]
    assert found == [
        ({(4, 1, 3, 3), (8, 16)}, LR, DECAY),
        ({(2, 8)}, ADAM, DECAY),
        ({(4,), (8,), (2,)}, ADAM, 0.0),
    ]
    net(torch.randn(3, 1, 4, 4)).sum().backward()
    optimizer.step()


def test_filters_keep_their_norm_if_asked_and_matrices_are_let_be() -> None:
    torch.manual_seed(0)
    filters, matrix = nn.Parameter(10 * torch.randn(8, 3, 2, 2)), nn.Parameter(10 * torch.randn(8, 12))
    optimizer = made([filters, matrix], decay=0.0, renormalize=True)
    expected = filters.detach() * 8**0.5 / filters.detach().norm(), matrix.detach().clone()
    filters.grad, matrix.grad = torch.randn(8, 3, 2, 2), torch.randn(8, 12)
    optimizer.step()
    for weight, start in zip((filters, matrix), expected, strict=True):
        assert weight.grad is not None
        move = LR * orthogonal(weight.grad.flatten(1), 5).view_as(start)
        torch.testing.assert_close(weight.detach(), start - move)
    for _ in range(50):
        optimizer.step()
    assert filters.norm().item() == pytest.approx(8**0.5, abs=0.2), "the same step over and over lets others grow"
    assert matrix.norm() > 5 * filters.norm()
