"""What the libraries would print by themselves: banners, tips, warnings. What matters of them is checked by us."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep it off the screen for as long as this lasts."""
    for name in ("lightning.pytorch", "lightning.fabric", "torch.distributed", "torch.nn.parallel"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        for module in ("lightning", "torch", "pytorch_lightning"):
            warnings.filterwarnings("ignore", module=rf"{module}\b.*")
        yield
