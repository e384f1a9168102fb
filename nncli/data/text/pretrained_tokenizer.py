"""The tokenizer of a published model, so that tokens have the ids with which it was trained."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.data.files.paths import located
from nncli.errors import DataError
from nncli.files import straying_link

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE, OF_MODEL, OF_TOKENS = "tokenizer.json", "config.json", "tokenizer_config.json"
FILLS = ("[PAD]", "<pad>", "<|pad|>")  # the padding tokens of older models, which do not define one


def pretrained_tokenizer(name: str) -> str:
    """The tokenizer of a folder, or of a model on the hub, as JSON, including the padding id of the model."""
    from tokenizers import Tokenizer

    found = {file: _text(name, file) for file in (FILE, OF_MODEL, OF_TOKENS)}
    try:
        tokenizer = Tokenizer.from_str(found[FILE] or "")
        model, tokens = json.loads(found[OF_MODEL] or "{}"), json.loads(found[OF_TOKENS] or "{}")
        fill = _fill(tokenizer, model, tokens)
    except Exception as problem:  # the tokenizers library raises plain exceptions
        raise DataError(
            f"data.tokenizer.tokens is {name}, whose tokenizer cannot be read: {_first(problem)}"
        ) from problem
    if fill is None:
        raise DataError(
            f"data.tokenizer.tokens is {name}, which does not say what fills up short rows: there is no pad_token_id "
            f"and no eos_token_id in {OF_MODEL}, and no pad_token and no eos_token in {OF_TOKENS}; add one"
        )
    tokenizer.no_truncation()
    tokenizer.enable_padding(pad_id=fill, pad_token=tokenizer.id_to_token(fill) or "")
    return tokenizer.to_str()


def _fill(tokenizer: "Tokenizer", model: dict[str, Any], tokens: dict[str, Any]) -> int | None:
    """The id that pads short rows; for a model without one, the id that ends a text.

    The model's config takes precedence over its tokenizer, since the net uses only the former.
    """
    said = [model.get("pad_token_id"), model.get("eos_token_id")]
    said += [_id(tokenizer, tokens.get("pad_token")), *map(tokenizer.token_to_id, FILLS)]
    said.append(_id(tokenizer, tokens.get("eos_token")))
    firsts = (number[0] if isinstance(number, list) and number else number for number in said)
    return next((number for number in firsts if isinstance(number, int) and number >= 0), None)  # some have -1 for none


def _id(tokenizer: "Tokenizer", token: Any) -> int | None:
    """The id of a token, which is text or a mapping with `content`."""
    text = token.get("content") if isinstance(token, dict) else token
    return None if text is None else tokenizer.token_to_id(text)


def _text(name: str, file: str) -> str | None:
    """The text of a file; None if it is missing, which is an error only for the tokenizer itself."""
    folder = located("tokenizer.tokens", name)
    if folder.is_dir():
        if (folder / file).is_file():
            return _beside(folder, file, name)
        if file != FILE:
            return None
        raise DataError(
            f"data.tokenizer.tokens is {name}, a folder without {file}. Write it there once, from the model it belongs "
            "to: AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER)"
        )
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise DataError(
            f"data.tokenizer.tokens is {name}; it is characters, words, bpe, or, for the tokens of a published model, "
            "its folder or its name OWNER/NAME on the hub"
        )
    return _fetched(name, file)


def _beside(folder: Path, file: str, name: str) -> str:
    """The text of a file of the folder; raises DataError if a link leads out of it."""
    if link := straying_link(folder):
        raise DataError(
            f"data.tokenizer.tokens is {name}, a folder with a link that leads out of it, {link.name}; remove it"
        )
    try:
        return (folder / file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise DataError(f"data.tokenizer.tokens is {name}, whose {file} cannot be read: {_first(problem)}") from problem


def _fetched(name: str, file: str) -> str | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return Path(hf_hub_download(name, file)).read_text(encoding="utf-8")
    except Exception as problem:  # the errors of a network client have no common class
        if file != FILE and isinstance(problem, EntryNotFoundError):
            return None
        raise DataError(
            f"data.tokenizer.tokens is {name}, whose {file} could not be fetched: {type(problem).__name__}: "
            f"{_first(problem)}\n"
            "  that needs a network the first time; if you have the files, set data.tokenizer.tokens=FOLDER"
        ) from problem


def _first(problem: Exception) -> str:
    return next((line.strip()[:200] for line in str(problem).splitlines() if line.strip()), "")
