"""The two smallest nets over token ids: a bag of embeddings, and a window of them.

B samples, T tokens, L tokens of a window, D width of an embedding.
"""

from typing import Annotated

import torch
from annotated_types import Ge, Interval
from torch import Tensor, nn
from torch.nn import functional

PAD = 0  # the id that pads short rows


class BagOfTokens(nn.Module):
    """The mean of the tokens' embeddings, regardless of order, then a linear layer (Joulin et al. 2016, fastText).

    Inputs are ids (B, T), where 0 is padding; outputs (B, num_outputs). `hidden` > 0 adds a hidden layer.
    """

    def __init__(
        self,
        num_tokens: Annotated[int, Ge(2)],
        num_outputs: Annotated[int, Ge(1)],
        width: Annotated[int, Ge(1)],
        hidden: Annotated[int, Ge(0)],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_tokens, width, padding_idx=PAD)
        layers: list[nn.Module] = [nn.Dropout(dropout)]
        if hidden:
            layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout)]
        self.head = nn.Sequential(*layers, nn.Linear(hidden or width, num_outputs))

    def forward(self, x: Tensor) -> Tensor:
        there_BT1 = (x != PAD).unsqueeze(-1).to(self.embedding.weight.dtype)
        sum_BD = (self.embedding(x) * there_BT1).sum(dim=1)
        return self.head(sum_BD / there_BT1.sum(dim=1).clamp(min=1))


class TokenWindow(nn.Module):
    """The next token from the last L: their concatenated embeddings through a hidden layer (Bengio et al. 2003).

    Inputs are ids (B, T), of which the last L are used, padded in front if there are fewer; outputs (B, num_outputs).
    """

    def __init__(
        self,
        input_shape: list[int],
        num_tokens: Annotated[int, Ge(2)],
        num_outputs: Annotated[int, Ge(1)],
        width: Annotated[int, Ge(1)],
        hidden: Annotated[int, Ge(1)],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
    ) -> None:
        super().__init__()
        self.length = input_shape[0]
        self.embedding = nn.Embedding(num_tokens, width, padding_idx=PAD)
        self.head = nn.Sequential(
            nn.Linear(self.length * width, hidden), nn.Tanh(), nn.Dropout(dropout), nn.Linear(hidden, num_outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        x_BL = x[:, -self.length :]
        if x_BL.shape[1] < self.length:
            x_BL = functional.pad(x_BL, (self.length - x_BL.shape[1], 0), value=PAD)
        return self.head(torch.flatten(self.embedding(x_BL), 1))
