"""The vision transformer (Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words").

B batch, C channels, H W size, T patches (and the class token), D width, N heads, K width of a head.
"""

from math import sqrt
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor, nn
from torch.nn import functional

from nncli.errors import NnError
from nncli.models.drop_path import DropPath, rates
from nncli.models.picture import picture

EPS = 1e-6


class Attention(nn.Module):
    """Multi-head self-attention over the patches (Vaswani et al. 2017)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x_BTD: Tensor) -> Tensor:
        q_BNTK, k_BNTK, v_BNTK = self.qkv(x_BTD).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        y_BNTK = functional.scaled_dot_product_attention(q_BNTK, k_BNTK, v_BNTK)
        return self.out(y_BNTK.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """`x + attention(norm(x))`, then the same with a perceptron at each patch."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float, dropout: float, drop_path: float) -> None:
        super().__init__()
        hidden = int(dim * mlp_ratio)
        self.attention = nn.Sequential(
            nn.LayerNorm(dim, eps=EPS), Attention(dim, heads), nn.Dropout(dropout), DropPath(drop_path)
        )
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim, eps=EPS),
            nn.Linear(dim, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, dim),
            nn.Dropout(dropout),
            DropPath(drop_path),
        )

    def forward(self, x_BTD: Tensor) -> Tensor:
        x_BTD = x_BTD + self.attention(x_BTD)
        return x_BTD + self.mlp(x_BTD)


class ViT(nn.Module):
    """The picture as a sequence of patches through `depth` blocks; inputs (B, C, H, W), outputs (B, num_outputs).

    The output is computed from a learned token before the patches (`cls`, as in the paper) or the mean of the patches
    (`mean`). Position embeddings are learned.
    """

    def __init__(
        self,
        input_shape: list[int],
        num_outputs: Annotated[int, Ge(1)],
        patch: Annotated[int, Ge(1)],
        dim: Annotated[int, Ge(1)],
        depth: Annotated[int, Ge(1)],
        heads: Annotated[int, Ge(1)],
        mlp_ratio: Annotated[float, Gt(0)],
        pool: Literal["cls", "mean"],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
        drop_path: Annotated[float, Interval(ge=0, lt=1)],
    ) -> None:
        super().__init__()
        rows, columns = (side / patch for side in picture("vit", input_shape))
        if rows % 1 or columns % 1:
            raise NnError(
                f"model=vit divides the picture into patches of {patch}x{patch} pixels, and input_shape "
                f"{list(input_shape)} is not divisible; choose a model.patch that divides height and width"
            )
        if dim % heads:
            raise NnError(f"model=vit splits model.dim={dim} among model.heads={heads}, which must divide it")
        self.pool = pool
        patches = int(rows * columns)
        self.embed = nn.Conv2d(input_shape[0], dim, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, dim)) if pool == "cls" else None
        self.position = nn.Parameter(torch.empty(1, patches + (pool == "cls"), dim))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(
            *(Block(dim, heads, mlp_ratio, dropout, rate) for rate in rates(drop_path, depth)),
            nn.LayerNorm(dim, eps=EPS),
        )
        self.head = nn.Linear(dim, num_outputs)
        self._start()

    def _start(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                # Xavier's standard deviation: about the usual 0.02 where dim is 768, and larger where it is small
                nn.init.trunc_normal_(module.weight, std=sqrt(2 / sum(module.weight.shape)))
                nn.init.zeros_(module.bias)
        fan_in = self.embed.weight[0].numel()
        nn.init.trunc_normal_(self.embed.weight, std=fan_in**-0.5)  # patches keep the variance of standardized pixels
        assert self.embed.bias is not None
        nn.init.zeros_(self.embed.bias)
        # positions on the scale of the patches, not 0.02: 150 steps on 8x8 digits reach 95% accuracy instead of 79%
        nn.init.trunc_normal_(self.position, std=0.5)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BTD = self.embed(x_BCHW).flatten(2).transpose(1, 2)
        if self.token is not None:
            x_BTD = torch.cat([self.token.expand(x_BTD.shape[0], -1, -1), x_BTD], dim=1)
        x_BTD = self.blocks(self.dropout(x_BTD + self.position))
        return self.head(x_BTD[:, 0] if self.token is not None else x_BTD.mean(1))
