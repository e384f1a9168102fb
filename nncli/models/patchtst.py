"""PatchTST (Nie et al. 2023, "A Time Series is Worth 64 Words").

B samples, L input steps, F columns, P patches, K steps of a patch, D width, H forecast steps.
"""

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor, nn
from torch.nn import functional

from nncli.models.linear_forecast import own_past
from nncli.models.vit import Block
from nncli.models.window_level import Normalize, level_and_scale


class PatchTST(nn.Module):
    """Patches of each column, overlapping and in its window's own scale, through a transformer encoder.

    The encoder and the linear layer from all patches to the forecast are shared by the columns, each of which is
    forecast from its own past alone. (B, L, F) to (B, H, F). Unlike in the paper, the blocks normalize their inputs, by
    layers instead of batches, begin as identities, and have no dropout: the last layer has. So the net begins as a
    linear one, which on ETTh1 is already a strong forecast.
    """

    def __init__(
        self,
        input_shape: list[int],
        horizon: Annotated[int, Ge(1)],
        num_targets: Annotated[int, Ge(1)],
        patch: Annotated[int, Ge(1)],
        stride: Annotated[int, Ge(1)],
        dim: Annotated[int, Ge(1)],
        depth: Annotated[int, Ge(1)],
        heads: Annotated[int, Ge(1)],
        mlp_ratio: Annotated[float, Gt(0)],
        dropout: Annotated[float, Interval(ge=0, lt=1)],
        normalize: Normalize,
    ) -> None:
        super().__init__()
        own_past("patchtst", input_shape, num_targets)
        length = input_shape[0]
        if patch > length:
            raise ValueError(f"model.patch is {patch}, and a window has {length} steps; take a smaller patch")
        if dim % heads:
            raise ValueError(f"model.dim is {dim}, which is shared by model.heads={heads} and must be divisible by it")
        self.patch, self.stride = patch, stride
        self.normalize: Normalize = normalize
        patches = (length + stride - patch) // stride + 1
        self.embed = nn.Linear(patch, dim)
        self.position = nn.Parameter(torch.empty(patches, dim).uniform_(-0.02, 0.02))
        self.blocks = nn.Sequential(*(Block(dim, heads, mlp_ratio, dropout=0.0, drop_path=0.0) for _ in range(depth)))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(patches * dim, horizon)
        self._start()

    def _start(self) -> None:
        """Begin with a forecast of the mean, and with blocks that change nothing."""
        last = [block.get_submodule(name) for block in self.blocks for name in ("attention.1.out", "mlp.4")]
        for layer in (self.head, *last):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x_BLF: Tensor) -> Tensor:
        level_B1F, scale_B1F = level_and_scale(x_BLF, self.normalize)
        x_BFL = ((x_BLF - level_B1F) / scale_B1F).mT
        x_BFPK = functional.pad(x_BFL, (0, self.stride), mode="replicate").unfold(2, self.patch, self.stride)
        x_BFPD = self.embed(x_BFPK) + self.position
        y_BFPD = self.blocks(x_BFPD.flatten(0, 1)).unflatten(0, (-1, x_BLF.shape[2]))
        return self.head(self.dropout(y_BFPD.flatten(2))).mT * scale_B1F + level_B1F
