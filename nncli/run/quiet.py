"""Silence the banners, tips and warnings of libraries; nn itself checks what matters of them."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence the libraries inside the block."""
    for name in ("lightning.pytorch", "lightning.fabric", "torch.distributed", "torch.nn.parallel"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        for module in ("lightning", "torch", "pytorch_lightning"):
            warnings.filterwarnings("ignore", module=rf"{module}\b.*")
        yield
