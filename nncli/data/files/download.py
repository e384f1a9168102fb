"""Download a file over https: interrupted downloads are resumed, and only a file with the right digest is kept."""

import errno
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from nncli.data.files.lock import alone
from nncli.data.files.progress import shown
from nncli.errors import DataError

CHUNK = 1 << 18
TIMEOUT = 30  # seconds without a byte


def cache_dir(name: str) -> Path:
    """The folder of downloaded data: `$NN_CACHE/data/<name>`, else in the user's cache folder."""
    given = os.environ.get("NN_CACHE")
    base = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nncli"
    return base.absolute() / "data" / name


def download(
    url: str | Sequence[str], path: Path, digest: str, allow_http_loopback: bool = False, advice: str = ""
) -> None:
    """Download to `path`, unless it exists, from the first address that answers.

    An interrupted download stays beside it as `.<digest>.part` and is resumed next time. `digest` is MD5 or SHA-256.
    Two processes never download the same file. Only https, redirects included; `allow_http_loopback` is for tests, and
    no YAML can set it. `advice` is for the message if there is no network.
    """
    if path.exists():
        return
    if os.path.lexists(path):
        raise DataError(f"{path} is a link that leads nowhere: fix or remove it")
    try:
        with alone(path, f"fetching {path.name}"):
            if not path.exists():
                _fetch_first([url] if isinstance(url, str) else url, path, digest, allow_http_loopback)
    except DataError as problem:
        raise DataError(f"{problem}\n{advice}".rstrip()) from problem
    except OSError as problem:
        raise DataError(
            f"{path} cannot be written: {problem.strerror}; NN_CACHE=FOLDER keeps it elsewhere"
        ) from problem


def _fetch_first(urls: Sequence[str], path: Path, digest: str, allow_http_loopback: bool) -> None:
    part = path.with_name(f"{path.name}.{digest[:16]}.part")  # a name that no other file has
    if part.is_symlink() or (part.exists() and not part.is_file()):
        raise DataError(f"{part} is in the way of the download: remove it")
    failed = []
    for url in urls:
        try:
            _fetch(url, part, allow_http_loopback)
            break
        except (OSError, http.client.HTTPException) as problem:
            if isinstance(problem, OSError) and problem.errno == errno.ENOSPC:
                raise DataError(f"{path} could not be fetched: the disk is full") from problem
            failed.append(f"{url} could not be fetched: {_reason(problem)}")
    else:
        raise DataError("\n".join(failed))
    try:
        verify(part, digest)
    except DataError:
        part.unlink()  # a wrong file cannot be resumed
        raise
    _place(part, path)


def _place(part: Path, path: Path) -> None:
    """Rename the download to its name, unless a file has appeared there meanwhile."""
    try:
        os.link(part, path)
        part.unlink()
    except OSError as problem:
        if os.path.lexists(path):
            raise DataError(f"{path} came from elsewhere during the download and is kept; remove it") from problem
        os.rename(part, path)  # a filesystem without hard links


def verify(path: Path, digest: str) -> None:
    """Raise DataError if a file does not have the expected digest."""
    kind = {32: "md5", 40: "sha1", 64: "sha256"}[len(digest)]
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
    if found != digest.lower():
        raise DataError(
            f"{path} has the {kind} {found}, not {digest}: it is another file or a broken one; fetch it again"
        )


def _fetch(url: str, part: Path, allow_http_loopback: bool) -> None:
    opener = urllib.request.build_opener(_Redirects(allow_http_loopback))
    _refuse_unsafe(url, allow_http_loopback)
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = opener.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as problem:
        problem.close()
        if problem.code != 416:  # no further bytes: it is complete, or another file, which the digest shows
            raise
        return
    with answer:
        resumed = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        length = answer.headers.get("Content-Length")
        wanted = int(length) if length and length.isdigit() else None
        with part.open("ab" if resumed else "wb") as file:
            got = sum(file.write(chunk) for chunk in shown(_chunks(answer), wanted, f"fetching {part.stem}"))
    if wanted is not None and got < wanted:
        raise OSError(f"it broke off after {got:,} of {wanted:,} bytes; run the same again to go on from there")


def _chunks(answer: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    while chunk := answer.read(CHUNK):
        yield len(chunk), chunk


def _refuse_unsafe(url: str, allow_http_loopback: bool) -> None:
    where = urlsplit(url)
    loopback = allow_http_loopback and where.scheme == "http" and where.hostname == "127.0.0.1"
    if where.scheme != "https" and not loopback:
        raise DataError(f"{url} is no https address; nothing else is fetched")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only."""

    def __init__(self, allow_http_loopback: bool) -> None:
        self.allow_http_loopback = allow_http_loopback

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        _refuse_unsafe(newurl, self.allow_http_loopback)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _reason(problem: Exception) -> str:
    reason = problem.reason if isinstance(problem, urllib.error.URLError) else problem
    return str(reason) or type(problem).__name__
