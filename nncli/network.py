"""No network while something is read that lies on this machine, whatever it names."""

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
_refused: list[list[str]] = []  # what each fence that is up now has refused


class NetworkRefused(NnError):
    """Raised where a library was about to ask somebody: no kind of network error, which libraries try again after."""


@contextmanager
def no_network(what: str, error: type[NnError] = NnError) -> Iterator[None]:
    """Refuse every connection and every lookup of a name that Python code of this process makes while this lasts.

    What a library then raises becomes one `error`, which begins with `what`. Sockets of this machine that have a path
    instead of an address stay allowed.
    """
    mine: list[str] = []
    _raise_fence(mine)
    try:
        yield
    except Exception as problem:
        if not mine:
            raise
        raise error(
            f"{what} leads to {named(mine[0])}: of what lies on this machine only its own files are read, "
            "and nobody is asked for others; fetch those first and name them where they are then"
        ) from problem
    finally:
        with _lock:
            _refused[:] = [other for other in _refused if other is not mine]


def _raise_fence(mine: list[str]) -> None:
    global _installed
    with _lock:
        if not _installed:  # only once: there is no way to take a hook away
            sys.addaudithook(_look)
            _installed = True
        _refused.append(mine)


def _look(event: str, args: tuple[Any, ...]) -> None:
    if not _refused or event not in LOOKUPS + CALLS:
        return
    if event in CALLS and args[0].family == getattr(socket, "AF_UNIX", None):
        return
    asked = _spelled(args[1] if event in CALLS else args[0])
    for heard in _refused:
        heard.append(asked)
    raise NetworkRefused(f"{asked} was about to be asked, where only files are read")


def _spelled(address: Any) -> str:
    """An address as a person writes it."""
    if isinstance(address, tuple):
        return ":".join(str(part) for part in address[:2])
    return address.decode(errors="replace") if isinstance(address, bytes) else str(address)
