"""What is opened and asked for while something is read: every file, every address."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_heard: list[tuple[str, str]] | None = None


def _listen(event: str, args: tuple[object, ...]) -> None:
    if _heard is not None and event in ("open", "os.listdir", "os.scandir", "socket.connect", "socket.getaddrinfo"):
        _heard.append((event, str(args[1] if event == "socket.connect" else args[0])))


sys.addaudithook(_listen)  # for as long as this process lives: there is no way to take one away


@contextmanager
def nothing_of(folder: Path) -> Iterator[None]:
    """Fail if a file of the folder is opened, or anybody is called."""
    global _heard
    _heard = heard = []
    try:
        yield
    finally:
        _heard = None
    assert [(what, name) for what, name in heard if what.startswith("socket") or name.startswith(str(folder))] == []


@contextmanager
def server(body: bytes) -> Iterator[tuple[str, list[str]]]:
    """An address on this machine that answers everything with `body`, and what it was asked."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}", asked
        serving.shutdown()
