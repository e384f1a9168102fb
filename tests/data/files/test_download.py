"""Downloads against a server on this machine: what is asked for, and what is left on the disk."""

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nncli.data.files.download import download
from nncli.errors import DataError

BODY = bytes(range(256)) * 4096
MD5 = hashlib.md5(BODY).hexdigest()
PART = f"data.bin.{MD5[:16]}.part"


class Site(ThreadingHTTPServer):
    """Serves BODY; `/short` breaks off in the middle, `/away` leads elsewhere."""

    ranges: list[str | None]
    away: str
    honours_range = True
    slow = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Site  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        time.sleep(self.server.slow)
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", self.server.away)
            self.end_headers()
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.honours_range else 0
        if start >= len(BODY):
            self.send_response(416)
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        self.send_header("Content-Length", str(len(BODY) - start))
        self.end_headers()
        self.wfile.write(BODY[start : len(BODY) // 2] if self.path == "/short" else BODY[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site(("127.0.0.1", 0), Answer)
    server.ranges, server.away = [], ""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_arrives_and_is_not_fetched_twice(site: Site, tmp_path: Path) -> None:
    for _ in range(2):
        download(f"{site.url}/whole", tmp_path / "data.bin", MD5, allow_http_loopback=True)
    assert (tmp_path / "data.bin").read_bytes() == BODY
    assert names(tmp_path) == ["data.bin"]
    assert site.ranges == [None]


@pytest.mark.parametrize("honours_range", [True, False])
def test_broken_download_goes_on_next_time(site: Site, tmp_path: Path, honours_range: bool) -> None:
    site.honours_range = honours_range
    with pytest.raises(DataError, match="broke off after 524,288 of 1,048,576 bytes"):
        download(f"{site.url}/short", tmp_path / "data.bin", MD5, allow_http_loopback=True)
    assert names(tmp_path) == [PART]
    download(f"{site.url}/whole", tmp_path / "data.bin", MD5, allow_http_loopback=True)
    assert site.ranges[-1] == "bytes=524288-"
    assert (tmp_path / "data.bin").read_bytes() == BODY


def test_two_that_want_the_same_fetch_it_once(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.slow = 0.3
    both = [
        threading.Thread(target=download, args=(f"{site.url}/whole", tmp_path / "data.bin", MD5, True))
        for _ in range(2)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert site.ranges == [None]
    assert names(tmp_path) == ["data.bin"]
    assert "another process is fetching data.bin; waiting for it" in capsys.readouterr().err


def test_the_next_address_is_asked_where_the_first_is_gone(site: Site, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(BODY).hexdigest()
    urls = ["http://127.0.0.1:9/whole", f"{site.url}/whole"]
    download(urls, tmp_path / "data.bin", sha256, allow_http_loopback=True)
    assert (tmp_path / "data.bin").read_bytes() == BODY


def test_killed_before_the_rename_needs_no_bytes_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / PART).write_bytes(BODY)
    download(f"{site.url}/whole", tmp_path / "data.bin", MD5, allow_http_loopback=True)
    assert names(tmp_path) == ["data.bin"]


def test_wrong_digest_leaves_nothing(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"md5 {MD5}"):
        download(f"{site.url}/whole", tmp_path / "data.bin", "0" * 32, allow_http_loopback=True)
    assert names(tmp_path) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
def test_nothing_but_https_is_fetched(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(url)):
        download(url, tmp_path / "data.bin", MD5)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "away", ["file:///etc/hostname", "ftp://127.0.0.1/x", "http://localhost:9/x", "http://169.254.169.254/x"]
)
def test_redirects_do_not_leave_https(site: Site, tmp_path: Path, away: str) -> None:
    site.away = away
    with pytest.raises(DataError, match=r"no https address|is not allowed"):
        download(f"{site.url}/away", tmp_path / "data.bin", MD5, allow_http_loopback=True)
    assert names(tmp_path) == []


def test_no_connection_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/x could not be fetched"):
        download("http://127.0.0.1:9/x", tmp_path / "data.bin", MD5, allow_http_loopback=True)
