"""The fence: no connection and no lookup while it is up, as before when it is down."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.errors import DataError, NnError
from nncli.network import no_network
from tests.outside import server


def send(address: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"x", address)


CALLS: dict[str, Callable[[int], object]] = {
    "connect": lambda port: socket.create_connection(("127.0.0.1", port)),
    "lookup": lambda port: socket.getaddrinfo("127.0.0.1", port),
    "old lookup": lambda port: socket.gethostbyname("127.0.0.1"),
    "datagram": lambda port: send(("127.0.0.1", port)),
}


@pytest.mark.parametrize("call", CALLS)
def test_nothing_goes_out_while_it_is_up(call: str) -> None:
    with server(b"") as (url, asked):
        port = int(url.rpartition(":")[2])
        with pytest.raises(DataError, match=r"^the folder leads to 127\.0\.0\.1"), no_network("the folder", DataError):
            CALLS[call](port)
        assert asked == []


def test_a_library_that_takes_the_refusal_for_something_else_is_told_the_same() -> None:
    def ask() -> None:
        try:
            socket.getaddrinfo("localhost", 80)
        except Exception:
            raise RuntimeError("retries exhausted") from None

    with pytest.raises(NnError, match="the folder leads to localhost"), no_network("the folder"):
        ask()


def test_it_holds_for_every_thread_and_no_longer_than_it_lasts() -> None:
    found: list[Exception] = []

    def ask() -> None:
        try:
            socket.getaddrinfo("127.0.0.1", 80)
        except Exception as error:
            found.append(error)

    with no_network("outer"):
        with no_network("inner"):
            pass
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert len(found) == 1
    ask()
    assert len(found) == 1


def test_sockets_with_a_path_and_other_errors_pass(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as calling, no_network("it"):
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        calling.connect(str(tmp_path / "s"))
    with pytest.raises(ValueError, match="mine"), no_network("it"):
        raise ValueError("mine")
