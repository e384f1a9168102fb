"""How the C library handles memory that a training step frees."""

import ctypes
import sys

KEEP = 1 << 30  # bytes: blocks up to this size come from the heap, which keeps this much freed memory
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # the names of mallopt's parameters in malloc.h


def keep_freed() -> None:
    """Keep freed memory for the next step. By default glibc returns large blocks to the kernel, and every step pays
    for fresh pages again: about half of a small convolutional net's step in bf16 was that (docs/guide/speed.md).
    """
    _call("mallopt", MMAP_THRESHOLD, KEEP)
    _call("mallopt", TRIM_THRESHOLD, KEEP)


def give_back() -> None:
    """Return kept memory to the kernel, once."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """Call a function of the C library, if it has it: other libraries than glibc, such as musl, have neither."""
    if sys.platform == "linux" and (function := getattr(ctypes.CDLL(None), name, None)):
        function(*arguments)
