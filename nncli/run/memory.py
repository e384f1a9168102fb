"""How the C library deals with memory that a training step gives back."""

import ctypes
import sys

KEEP = 1 << 30  # bytes: blocks up to this size come from the heap, and so much freed memory stays in it
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # the names of mallopt's parameters in malloc.h


def keep_freed() -> None:
    """Keep freed memory for the next step. By default glibc returns large blocks to the kernel, and every step pays
    for fresh pages again: about half of a small convolutional net's step in bf16 was that (docs/guide/speed.md).
    """
    _call("mallopt", MMAP_THRESHOLD, KEEP)
    _call("mallopt", TRIM_THRESHOLD, KEEP)


def give_back() -> None:
    """Return what is kept to the kernel, once."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """A function of the C library, where there is one: other libraries than glibc, such as musl, have neither."""
    if sys.platform == "linux" and (function := getattr(ctypes.CDLL(None), name, None)):
        function(*arguments)
