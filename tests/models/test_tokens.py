"""The small nets over tokens: what fills up a row counts for nothing, and they learn."""

import torch
from torch.nn import functional

from nncli.models.tokens import BagOfTokens, TokenWindow


def test_a_bag_does_not_see_order_nor_what_fills_up() -> None:
    net = BagOfTokens(num_tokens=9, num_outputs=3, width=4, hidden=5, dropout=0.0)
    short, mixed, filled = torch.tensor([[3, 4, 7]]), torch.tensor([[7, 3, 4]]), torch.tensor([[3, 4, 7, 0, 0]])
    assert torch.allclose(net(short), net(mixed), atol=1e-6)
    assert torch.allclose(net(short), net(filled), atol=1e-6)
    assert net(torch.zeros(2, 4, dtype=torch.long)).isfinite().all()


def test_a_window_reads_the_last_tokens_and_fills_up_in_front() -> None:
    net = TokenWindow([3], num_tokens=9, num_outputs=9, width=4, hidden=8, dropout=0.0)
    assert torch.equal(net(torch.tensor([[5, 6, 1, 2, 3]])), net(torch.tensor([[1, 2, 3]])))
    assert torch.equal(net(torch.tensor([[2]])), net(torch.tensor([[0, 0, 2]])))


def test_a_window_learns_what_a_bag_cannot() -> None:
    """The answer is the first of two tokens, whatever the second is."""
    torch.manual_seed(0)
    x = torch.randint(1, 5, (512, 2))
    right = {}
    for net in (TokenWindow([2], 5, 5, 8, 32, 0.0), BagOfTokens(5, 5, 8, 32, 0.0)):
        optimizer = torch.optim.Adam(net.parameters(), 0.02)
        for _ in range(120):
            optimizer.zero_grad()
            functional.cross_entropy(net(x), x[:, 0]).backward()
            optimizer.step()
        right[type(net).__name__] = float((net(x).argmax(1) == x[:, 0]).float().mean())
    assert right["TokenWindow"] > 0.99
    assert right["BagOfTokens"] < 0.8
