"""The precision in which a net computes; weights, gradients and optimizer states stay in float32."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

KINDS = {"bf16": torch.bfloat16, "16": torch.float16}


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """The context for a forward pass."""
    kind = KINDS.get(precision)
    return torch.autocast(device.type, kind) if kind else nullcontext()
