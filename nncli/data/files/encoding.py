"""Read whole text files in an encoding that is detected or given, with line ends normalized."""

import codecs
from pathlib import Path

from nncli.data.files.paths import regular
from nncli.errors import DataError

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, with whose mark it begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
DETECTED = {"utf-8", "utf-8-lossy", "utf-16-le", "utf-16-be", "latin-1", "cp1252", *(name for _, name in MARKS)}
LOSSY = "utf-8-lossy"  # our name for UTF-8 in which � replaces a few invalid bytes
LOOKED_AT = 1 << 16  # bytes by which UTF-16 is distinguished from files that are not text
CONTROLS = bytes(b for b in range(32) if b not in b"\t\n\v\f\r\x1b")
C1 = bytes(range(0x80, 0xA0))  # letters and quotes in Windows code pages, unused control characters in Latin-1


def read_text(path: Path, encoding: str) -> tuple[str, str]:
    """The text of a file, and the name of its encoding, which `auto` detects."""
    try:
        raw = regular(path).read_bytes()
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror}") from problem
    return decoded(raw, encoding, str(path))


def decoded(raw: bytes, encoding: str, name: str) -> tuple[str, str]:
    """The text of a file called `name` in messages, and the name of its encoding."""
    found = _detected(raw) if encoding == "auto" else encoding
    if found is None or (b"\0" in raw and not found.startswith(("utf-16", "utf-32")) and encoding == "auto"):
        raise DataError(
            f"{name} is not text: it contains bytes that text does not; leave it out, or name data.encoding"
        )
    try:
        text = raw.decode("utf-8", "replace") if found == LOSSY else raw.decode(found)
    except UnicodeError as problem:
        line = raw[: getattr(problem, "start", 0)].count(b"\n") + 1
        raise DataError(
            f"{name}, line {line}: this is not {found}, as data.encoding says; set data.encoding=auto or another"
        ) from problem
    except (LookupError, ValueError) as problem:
        raise DataError(
            f"data.encoding is {encoding}, which is not an encoding of Python; "
            "take auto or a name such as utf-8, latin-1, cp1252, gb18030 or shift_jis"
        ) from problem
    if "\0" in text:
        raise DataError(f"{name} is not text: read as {found} it contains the null character; leave it out")
    return text.replace("\r\n", "\n").replace("\r", "\n"), found


def common(names: set[str]) -> str:
    """The single encoding of all files of a set; `auto` if they differ."""
    plain = {"utf-8-sig" if {"utf-8", "utf-8-sig"} <= names and name == "utf-8" else name for name in names}
    return plain.pop() if len(plain) == 1 else "auto"


def _detected(raw: bytes) -> str | None:
    """The encoding of some text, or None if it is not text. ASCII counts as UTF-8."""
    for mark, name in MARKS:
        if raw.startswith(mark):
            return name
    if b"\0" in raw[:LOOKED_AT]:
        return _wide(raw)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return None if _binary(raw) else _narrow(raw)
    return "utf-8"


def _wide(raw: bytes) -> str | None:
    """Detect UTF-16 without a mark: in most scripts, one byte of each pair varies and the other is often zero."""
    start = raw[:LOOKED_AT]
    even, odd = start[::2].count(0), start[1::2].count(0)
    many, few = len(start) // 8, len(start) // 64
    name = "utf-16-le" if odd > many and even <= few else "utf-16-be" if even > many and odd <= few else None
    if name is None or len(raw) % 2:
        return None
    try:
        raw.decode(name)
    except UnicodeDecodeError:
        return None
    return name


def _narrow(raw: bytes) -> str:
    """UTF-8 with a few invalid bytes if most of it is valid, else an encoding of one byte per character."""
    text = raw.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    foreign = len(text) - len(text.encode("ascii", "ignore")) - wrong
    if foreign > 10 * wrong:
        return LOSSY
    if len(raw.translate(None, C1)) == len(raw):
        return "latin-1"
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _binary(raw: bytes) -> bool:
    return (len(raw) - len(raw.translate(None, CONTROLS))) * 100 > len(raw)
