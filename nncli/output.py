"""All output goes through here or `nncli.terminal`, so that text cannot move the cursor, and JSON is valid."""

import json
import math
import sys
from typing import Any, TextIO

from nncli.errors import printable

DEEPEST = 100  # levels of nested mappings and lists


def say(text: str = "", *, err: bool = False, end: str = "\n") -> None:
    """Print text, or lines of JSON, to stdout or stderr."""
    stream = sys.stderr if err else sys.stdout
    try:
        print(writable(printable(text), stream), file=stream, end=end, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk after `>`
        raise OSError(error.errno, error.strerror, getattr(stream, "name", "the output")) from error


def writable(text: str, stream: TextIO | Any) -> str:
    """Text with `?` in place of characters that the stream's encoding does not have."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def as_json(value: Any, indent: int | None = None) -> str:
    """A value as JSON in ASCII, without characters that control a terminal."""
    return json.dumps(finite(value), indent=indent, allow_nan=False)


def finite(value: Any, depth: int = 0) -> Any:
    """The value with None in place of NaN and infinity, which JSON does not have."""
    if depth > DEEPEST:
        raise ValueError(f"is nested more than {DEEPEST} deep")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(inner, depth + 1) for key, inner in value.items()}
    return [finite(inner, depth + 1) for inner in value] if isinstance(value, list | tuple) else value
