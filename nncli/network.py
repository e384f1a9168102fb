"""No network access while local files are read, whatever they refer to."""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nncli.errors import NnError
from nncli.files import named

LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
CALLS = ("socket.connect", "socket.sendto", "socket.sendmsg")

_lock = threading.Lock()
_installed = False
_refused: list[list[str]] = []  # the addresses that each active fence has refused


class NetworkRefused(NnError):
    """Raised when a library tries to use the network. Not a network error, after which libraries would retry."""


@contextmanager
def no_network(what: str, error: type[NnError] = NnError) -> Iterator[None]:
    """Refuse every connection and every name lookup by Python code of this process inside the block.

    Whatever the library then raises becomes an `error` whose message begins with `what`. Unix sockets are allowed.
    """
    mine: list[str] = []
    _raise_fence(mine)
    try:
        yield
    except Exception as problem:
        if not mine:
            raise
        raise error(
            f"{what} leads to {named(mine[0])}, but only its own files are read, without a network; "
            "download the others first and name their path"
        ) from problem
    finally:
        with _lock:
            _refused[:] = [other for other in _refused if other is not mine]


def _raise_fence(mine: list[str]) -> None:
    global _installed
    with _lock:
        if not _installed:  # only once: a hook cannot be removed
            sys.addaudithook(_look)
            _installed = True
        _refused.append(mine)


def _look(event: str, args: tuple[Any, ...]) -> None:
    if not _refused or event not in LOOKUPS + CALLS:
        return
    if event in CALLS and args[0].family == getattr(socket, "AF_UNIX", None):
        return
    address = _spelled(args[1] if event in CALLS else args[0])
    for refused in _refused:
        refused.append(address)
    raise NetworkRefused(f"no connection to {address}, since only local files are read")


def _spelled(address: Any) -> str:
    """An address in the usual notation."""
    if isinstance(address, tuple):
        return ":".join(str(part) for part in address[:2])
    return address.decode(errors="replace") if isinstance(address, bytes) else str(address)
